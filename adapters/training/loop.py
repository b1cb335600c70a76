"""The training loop, the same for every objective.

What is common to all loops (mixed precision, accumulation of gradients, several processes) is
Hugging Face's accelerate.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from adapters.training.objective import Objective
from adapters.training.optimiser import Decays, Optimiser, clip_gradients, optimiser_of
from adapters.training.order import Shuffled, Turn
from adapters.training.schedule import Schedule, rising_decay, scheduled
from adapters.training.training_errors import CheckpointError, TrainingError

_SAVE_SECONDS = 60


class Examples(Sized, Protocol):
    """A data set of tensors; which ones is between it and the objective."""

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        """The tensors of one example; all its randomness comes from its turn and a seed."""
        ...


class Checkpoint(Protocol):
    """Where the state of a run is kept, to resume from; its text names it in messages."""

    def read(self) -> dict[str, Any] | None:
        """The state that was written last; None where there is none."""
        ...

    def write(self, state: dict[str, Any]) -> None:
        """Keep a state of tensors, numbers and lists in place of the one before."""
        ...


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How a run goes.

    Attributes:
        epochs: Passes over the data.
        batch: Examples in a step of one process, before accumulation.
        accumulate: Batches whose gradients are added up for one optimiser step.
        learning_rate: Peak of the schedule.
        weight_decay: At the beginning.
        warmup: Share of the steps before the peak, of schedules that warm up by steps.
        optimiser: See `optimiser_of`.
        schedule: See `Schedule`.
        lowest_rate: Learning rate that some schedules begin or end with.
        decays: Which parameters decay; see `optimiser_of`.
        last_decay: Weight decay that the run ends with; None: that of its beginning.
        precision: What passes are computed in; the parameters that are learned stay float32.
        workers: Processes that prepare examples.
        seed: Decides all that is random.
        save_every: Optimiser steps between two states on the disk; None: once an epoch, and
            once a minute.
    """

    epochs: int = 1
    batch: int = 128
    accumulate: int = 1
    learning_rate: float = 8e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    optimiser: Optimiser = "adamw"
    schedule: Schedule = "cosine"
    lowest_rate: float = 0.0
    decays: Decays = "matrices"
    last_decay: float | None = None
    precision: Literal["no", "bf16", "fp16"] = "no"
    workers: int = 0
    seed: int = 0
    save_every: int | None = None


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        losses: Mean loss of each optimiser step that is done.
        seconds: Time spent, over all parts of a run that was resumed.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return len(self.losses)


def train(
    objective: Objective,
    examples: Examples,
    settings: LoopSettings,
    checkpoint: Checkpoint | None = None,
    *,
    device: str | None = None,
    resume: bool = False,
    identity: Mapping[str, int | float | str] | None = None,
    report: Callable[[int, int, float], None] = lambda _step, _steps, _loss: None,
) -> Progress:
    """Minimise an objective over examples; the objective then holds what was learned.

    Under ``torchrun`` or ``accelerate launch`` every process takes its share of each epoch. A
    run that is resumed ends with the parameters of one that was not interrupted.

    Args:
        objective: Made after ``torch.manual_seed``, if it draws random weights.
        examples: Shuffled anew each epoch; an incomplete last batch is left out.
        settings: See `LoopSettings`.
        checkpoint: Keeps the state to resume from; None keeps none.
        device: ``cpu`` to stay off a GPU; None takes what accelerate finds.
        resume: Go on from the state that is kept, or begin where there is none.
        identity: What else a state must be of to be resumed from, such as the backbone.
        report: Called with steps done, all steps and the loss after each step.

    Raises:
        TrainingError: There is less than one step of examples, or a loss is not finite.
        CheckpointError: The state that is kept cannot be used for this run.
    """
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision=settings.precision,
        gradient_accumulation_steps=settings.accumulate,
        step_scheduler_with_optimizer=False,
    )
    order = Shuffled(len(examples), settings.seed)
    loader: Any = DataLoader(
        examples,  # type: ignore[arg-type]  # indexed by turns, not by numbers
        batch_size=settings.batch,
        sampler=order,
        drop_last=True,
        num_workers=settings.workers,
        pin_memory=accelerator.device.type == "cuda",
    )
    optimiser: Any = optimiser_of(
        objective,
        settings.optimiser,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        decays=settings.decays,
    )
    model, optimiser, loader = accelerator.prepare(objective, optimiser, loader)
    per_epoch = len(loader) // settings.accumulate
    if per_epoch < 1:
        raise TrainingError(
            f"{len(examples)} examples are less than one step of {settings.batch} x "
            f"{settings.accumulate} x {accelerator.num_processes} processes; make the batch smaller"
        )
    steps = per_epoch * settings.epochs
    schedule = scheduled(
        optimiser.optimizer,
        settings.schedule,
        steps=steps,
        per_epoch=per_epoch,
        warmup=round(settings.warmup * steps),
        lowest=settings.lowest_rate,
    )
    run = _Run(
        accelerator,
        objective,
        optimiser,
        schedule,
        _identity(settings, steps) | dict(identity or {}),
    )
    progress = run.load(checkpoint) if checkpoint and resume else Progress()
    saved = time.perf_counter()
    began = saved - progress.seconds
    model.train()
    while progress.step < steps:
        epoch, done = divmod(progress.step, per_epoch)
        loader.set_epoch(epoch)
        order.skip = done * settings.accumulate * settings.batch * accelerator.num_processes
        batches = iter(loader)
        objective.begin_epoch(epoch)
        for _ in range(done, per_epoch):
            if (last := settings.last_decay) is not None:
                rising_decay(optimiser, settings.weight_decay, last, progress.step / steps)
            losses: list[float] = []
            for part in range(settings.accumulate):
                batch = next(batches)
                # With seeds of its own for each pass a resumed run draws what it would have drawn.
                place = (settings.seed, progress.step, part, accelerator.process_index)
                torch.manual_seed(hash(place))
                with accelerator.accumulate(model):
                    loss = model(*batch)
                    losses.append(float(accelerator.gather(loss.detach()).mean()))
                    if not math.isfinite(losses[-1]):
                        raise TrainingError(_diverged(losses[-1], progress.step + 1))
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        clip_gradients(accelerator, objective)
                    optimiser.step()
                    optimiser.zero_grad()
            schedule.step()
            progress.losses.append(sum(losses) / len(losses))
            progress.seconds = time.perf_counter() - began
            objective.after_step(progress.step / steps)
            report(progress.step, steps, progress.losses[-1])
            late = settings.save_every is None and time.perf_counter() - saved > _SAVE_SECONDS
            if late or progress.step % (settings.save_every or per_epoch) == 0:
                if checkpoint is not None:
                    run.save(checkpoint, progress)
                saved = time.perf_counter()
    accelerator.wait_for_everyone()
    accelerator.free_memory()
    return progress


@dataclass(frozen=True, slots=True)
class _Run:
    """The parts of a run that have a state.

    A frozen CLIP would be most of it, so it is left out.
    """

    accelerator: Accelerator
    objective: Objective
    optimiser: Any
    schedule: Any
    identity: dict[str, int | float | str]

    def save(self, checkpoint: Checkpoint, progress: Progress) -> None:
        """Write the state; the first process does."""
        if not self.accelerator.is_main_process:
            return
        scaler = self.accelerator.scaler
        checkpoint.write(
            {
                "identity": self.identity,
                "objective": self.objective.learned_state(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "losses": progress.losses,
                "seconds": progress.seconds,
            },
        )

    def load(self, checkpoint: Checkpoint) -> Progress:
        """Take over the state, if there is one."""
        state = checkpoint.read()
        if state is None:
            return Progress()
        of = state.get("identity", {})
        if other := [name for name in self.identity if of.get(name) != self.identity[name]]:
            differences = ", ".join(
                f"{name} {of.get(name)} and not {self.identity[name]}" for name in other
            )
            raise CheckpointError(
                f"{checkpoint} is of a run with {differences}; give the same settings and data, or "
                "another --out to begin anew"
            )
        self.objective.load_state_dict(state["objective"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        return Progress(state["losses"], state["seconds"])


def _identity(settings: LoopSettings, steps: int) -> dict[str, int | float | str]:
    every = dataclasses.asdict(settings)
    return {"steps": steps} | {
        name: value for name, value in every.items() if name not in {"workers", "save_every"}
    }


def _diverged(loss: float, step: int) -> str:
    return (
        f"the loss is {loss} in step {step}; lower the learning rate, or compute in bf16 or "
        "float32 in place of fp16, and resume from the last checkpoint"
    )
