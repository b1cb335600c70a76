"""A training run of an adapter, from its plan to the files it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate.utils import gather_object
from rich.console import Console

from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig, attach
from adapters.corrections.bottleneck.checkpoint import save_adapter, tower_fingerprint
from service.training.training_images import TrainingImages
from adapters.training.loop import CHECKPOINT_NAME, LoopSettings, Progress, train
from adapters.training.methods.imo import RECIPES
from adapters.training.methods.imo.model import load_tower
from service.training.run_folder import record, write_run
from service.cli.train.arguments import tell_broken
from service.training.launcher import count, is_first, part
from service.training.progress_bar import training_bar
from service.images.reading import training_reader

ADAPTER_NAME = "adapter.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is asked to do; None stands for the objective's published setting.

    Attributes:
        objective: One of `RECIPES`.
        backbone: Name of the backbone whose image tower gets the adapter.
        config: Of the adapter.
        source: Name of the folder or table that the data come from.
        data: The images.
        epochs: Passes over the data.
        batch: Images of a process before accumulation.
        accumulate: Batches to a step.
        learning_rate: Its peak.
        precision: What passes are computed in.
        workers: Processes that prepare images.
        max_pixels: Images with more are not read.
        seed: Decides every random draw.
        device: ``cpu`` to stay off a GPU.
    """

    objective: str
    backbone: str
    config: BottleneckConfig
    source: str
    data: TrainingImages
    epochs: int | None
    batch: int | None
    accumulate: int
    learning_rate: float | None
    precision: Literal["no", "bf16", "fp16"]
    workers: int
    max_pixels: int
    seed: int
    device: str | None

    def settings(self, processes: int) -> LoopSettings:
        """The settings of the loop in each of so many processes."""
        recipe = RECIPES[self.objective]
        batch = self.batch or recipe.batch
        return LoopSettings(
            epochs=self.epochs or recipe.epochs,
            batch=batch,
            accumulate=self.accumulate,
            learning_rate=self.learning_rate or recipe.peak(batch * self.accumulate * processes),
            weight_decay=recipe.weight_decay,
            warmup=recipe.warmup,
            precision=self.precision,
            workers=self.workers,
            seed=self.seed,
        )


def run(plan: Plan, out: Path, *, resume: bool, console: Console) -> None:
    """Train, and leave the adapter, its record and its losses in a folder.

    Raises:
        BackboneError: The backbone cannot be loaded.
        NoPlaceError: It has no blocks for the adapter.
        TrainingError: The run cannot begin or go on.
    """
    settings = plan.settings(count())
    with console.status(f"loading backbone {plan.backbone}"):
        tower = load_tower(plan.backbone)
        fingerprint = tower_fingerprint(tower.visual)
    torch.manual_seed(plan.seed)
    built = RECIPES[plan.objective].build(
        tower,
        attach(tower.visual, plan.config),
        plan.data,
        training_reader(plan.max_pixels),
        settings,
    )
    identity: dict[str, int | float | str] = {
        "objective": plan.objective,
        "tower": fingerprint,
        "adapter": str(plan.config),
        "data": plan.data.digest,
        "processes": count(),
    }
    with training_bar(console, shown=is_first()) as report:
        progress = train(
            built.objective,
            built.examples,
            settings,
            out,
            device=plan.device,
            resume=resume,
            identity=identity,
            report=report,
        )
    unreadable = sorted({str(path) for path in gather_object(built.examples.broken)})
    if is_first():
        _write(plan, settings, built.adapter, fingerprint, progress, unreadable, out, console)
    part()


def _write(
    plan: Plan,
    settings: LoopSettings,
    adapter: BottleneckAdapter,
    fingerprint: str,
    progress: Progress,
    unreadable: list[str],
    out: Path,
    console: Console,
) -> None:
    made = record(progress, **_fields(plan, settings))
    write_run(out, progress, made | {"unreadable_images": len(unreadable)})
    save_adapter(
        out / ADAPTER_NAME,
        adapter,
        backbone=plan.backbone,
        fingerprint=fingerprint,
        # The same run gives the same file, however long it took.
        made={name: value for name, value in made.items() if name != "seconds"},
    )
    (out / CHECKPOINT_NAME).unlink(missing_ok=True)
    tell_broken(console, unreadable)
    console.print(
        f"{progress.step} steps in {progress.seconds:.0f} s, loss {progress.losses[0]:.3f} to "
        f"{progress.losses[-1]:.3f}; serve it with: handful serve --backbone {plan.backbone} "
        f"--adapter {out / ADAPTER_NAME}",
        highlight=False,
        soft_wrap=True,
    )


def _fields(plan: Plan, settings: LoopSettings) -> dict[str, Any]:
    loop = {
        name: value
        for name, value in asdict(settings).items()
        if name not in {"workers", "save_every"}
    }
    return {
        "objective": plan.objective,
        "backbone": plan.backbone,
        "adapter": plan.config.as_dict(),
        "data": {
            "name": plan.source,
            "images": len(plan.data),
            "classes": len(plan.data.classes),
            "digest": plan.data.digest,
        },
        "processes": count(),
        **loop,
    }
