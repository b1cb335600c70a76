"""The training loop: what it computes, what it leaves on the disk, what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn
from torch.nn.functional import dropout, mse_loss

from adapters.training.loop import LoopSettings, Progress, train
from adapters.training.objective import Objective
from adapters.training.order import Shuffled, Turn
from adapters.training.schedule import Schedule, rising_decay, scheduled
from adapters.training.training_errors import CheckpointError, TrainingError


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> Iterator[None]:
    """accelerate keeps its precision for the life of a process."""
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


class Kept:
    """A checkpoint in memory."""

    def __init__(self) -> None:
        self.state: dict[str, Any] | None = None

    def __str__(self) -> str:
        return "the checkpoint"

    def read(self) -> dict[str, Any] | None:
        return copy.deepcopy(self.state)

    def write(self, state: dict[str, Any]) -> None:
        self.state = copy.deepcopy(state)


class Points:
    """Noisy points of a line, other ones each epoch."""

    def __init__(self, length: int = 24) -> None:
        self.length = length
        self.turns: list[Turn] = []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        self.turns.append(turn)
        generator = torch.Generator().manual_seed(turn.example * 1000 + turn.epoch)
        x = torch.randn(3, generator=generator)
        return x, x @ torch.tensor([[1.0], [-2.0], [0.5]])


class Line(Objective):
    """A line behind a frozen rotation, with dropout and a moving average."""

    frozen = ("rotation",)

    def __init__(self, drop: float = 0.0) -> None:
        super().__init__()
        self.rotation = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).requires_grad_(False)
        nn.init.orthogonal_(self.rotation[0].get_parameter("weight"))
        self.line = nn.Linear(3, 1)
        self.drop = drop
        self.register_buffer("average", torch.zeros(1, 3))

    def forward(self, *batch: Tensor) -> Tensor:
        x, y = batch
        return mse_loss(self.line(dropout(self.rotation(x), self.drop)), y)

    def after_step(self, done: float) -> None:
        assert 0 < done <= 1
        average: Any = self.average
        average.lerp_(self.line.weight.detach(), 0.1)


def line(drop: float = 0.0) -> Line:
    torch.manual_seed(0)
    return Line(drop)


def run(checkpoint: Kept, objective: Objective, **changed: Any) -> Progress:
    resume, report = changed.pop("resume", False), changed.pop("report", lambda *_: None)
    identity = changed.pop("identity", None)
    settings = LoopSettings(**{"epochs": 3, "batch": 4, "learning_rate": 0.05} | changed)
    return train(
        objective,
        Points(),
        settings,
        checkpoint,
        device="cpu",
        resume=resume,
        report=report,
        identity=identity,
    )


def test_a_run_learns_and_leaves_what_is_frozen_alone() -> None:
    kept = Kept()
    objective = line()
    frozen = {name: value.clone() for name, value in objective.rotation.state_dict().items()}
    seen: list[tuple[int, int]] = []
    progress = run(
        kept,
        objective,
        epochs=20,
        learning_rate=0.2,
        report=lambda step, steps, _: seen.append((step, steps)),
    )
    assert sum(progress.losses[-6:]) < 0.2 * sum(progress.losses[:6])
    assert seen == [(step, 120) for step in range(1, 121)]
    for name, value in objective.rotation.state_dict().items():
        assert torch.equal(value, frozen[name]), name


def test_every_example_has_one_turn_an_epoch() -> None:
    points = Points()
    train(line(), points, LoopSettings(epochs=2, batch=4), device="cpu")
    by_epoch = [[turn.example for turn in points.turns if turn.epoch == n] for n in (0, 1)]
    assert sorted(by_epoch[0]) == sorted(by_epoch[1]) == list(range(24))
    assert by_epoch[0] != by_epoch[1]


@pytest.mark.parametrize("interrupted", [1, 4, 7, 11, 17])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_resumed_run_ends_as_one_that_was_not_interrupted(
    interrupted: int, accumulate: int
) -> None:
    _resumed(interrupted // accumulate or 1, accumulate=accumulate)


OTHERS: list[dict[str, Any]] = [
    {"optimiser": "sgd", "schedule": "epochs", "lowest_rate": 1e-3, "decays": "all"},
    {"schedule": "floor", "lowest_rate": 1e-3, "warmup": 0.4, "last_decay": 0.4},
    {"schedule": "constant", "decays": "all"},
]


@pytest.mark.parametrize("interrupted", [4, 7])
@pytest.mark.parametrize("settings", OTHERS)
def test_a_resumed_run_ends_the_same_with_every_optimiser_and_schedule(
    interrupted: int, settings: dict[str, Any]
) -> None:
    _resumed(interrupted, **settings)


def _resumed(interrupted: int, **settings: Any) -> None:
    parts = Kept()
    changed = {"save_every": 1, **settings}
    whole = line(drop=0.5)
    expected = run(Kept(), whole, **changed)

    def stop(step: int, _steps: int, _loss: float) -> None:
        if step == interrupted + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(parts, line(drop=0.5), report=stop, **changed)
    objective = line(drop=0.5)
    found = run(parts, objective, resume=True, **changed)
    assert found.losses == expected.losses
    for name, value in whole.state_dict().items():
        assert torch.equal(objective.state_dict()[name], value), name


def test_a_finished_run_is_not_repeated() -> None:
    kept = Kept()
    first = line()
    run(kept, first)
    second = Line()
    steps: list[int] = []
    run(kept, second, resume=True, report=lambda step, *_: steps.append(step))
    assert steps == []
    assert torch.equal(second.line.weight, first.line.weight)


def test_accumulated_batches_are_a_large_one() -> None:
    large, small = line(), line()
    one = run(Kept(), large, batch=8)
    two = run(Kept(), small, batch=4, accumulate=2)
    torch.testing.assert_close(two.losses, one.losses, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(small.line.weight, large.line.weight, rtol=1e-4, atol=1e-5)


def test_bf16_computes_in_bf16_and_learns_in_float32() -> None:
    full, mixed = line(), line()
    one = run(Kept(), full)
    two = run(Kept(), mixed, precision="no")
    assert one.losses == two.losses
    AcceleratorState._reset_state(True)
    mixed = line()
    two = run(Kept(), mixed, precision="bf16")
    assert mixed.line.weight.dtype == torch.float32
    assert one.losses != two.losses
    torch.testing.assert_close(two.losses, one.losses, rtol=0.1, atol=0.1)


def test_a_state_holds_nothing_frozen() -> None:
    kept = Kept()
    run(kept, line())
    state = kept.state
    assert state is not None
    assert set(state["objective"]) == {"line.weight", "line.bias", "average"}


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    kept = Kept()

    class Diverging(Line):
        def forward(self, *batch: Tensor) -> Tensor:
            return super().forward(*batch) * float("nan")

    with pytest.raises(TrainingError, match="the loss is nan in step 1; lower the learning rate"):
        run(kept, Diverging())


def test_too_few_examples_for_a_step() -> None:
    kept = Kept()
    with pytest.raises(TrainingError, match="24 examples are less than one step of 16 x 2 x 1"):
        run(kept, line(), batch=16, accumulate=2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": 4}, "epochs 3 and not 4"),
        ({"seed": 1}, "seed 0 and not 1"),
        ({"learning_rate": 0.1}, "learning_rate 0.05 and not 0.1"),
        ({"identity": {"backbone": "x"}}, "backbone None and not x"),
    ],
)
def test_a_state_of_another_run_is_refused(changed: dict[str, Any], message: str) -> None:
    kept = Kept()
    run(kept, line())
    with pytest.raises(CheckpointError, match=f"{message}.*another --out"):
        run(kept, line(), resume=True, **changed)


def rates(kind: Schedule, **changed: Any) -> list[float]:
    """Learning rates of each step of a run, and the one after it."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    given: dict[str, Any] = {"steps": 10, "per_epoch": 2, "warmup": 4} | changed
    schedule = scheduled(optimiser, kind, **given)
    found = [float(schedule.get_last_lr()[0])]
    for _ in range(given["steps"]):
        optimiser.step()
        schedule.step()
        found.append(float(schedule.get_last_lr()[0]))
    return found


def test_the_learning_rate_rises_and_falls() -> None:
    found = rates("cosine")
    assert found[:5] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])
    assert found[4:] == sorted(found[4:], reverse=True)
    assert found[-1] == pytest.approx(0.0, abs=1e-12)


def test_a_constant_learning_rate_has_no_warmup() -> None:
    assert rates("constant") == [2.0] * 11


def test_a_learning_rate_with_a_floor_is_that_of_dino() -> None:
    """numpy as in DINO's code: a line from 0 to the peak, then half a cosine to the last rate."""
    expected = np.concatenate(
        [np.linspace(0, 2.0, 4), 0.1 + 0.95 * (1 + np.cos(np.pi * np.arange(6) / 6))]
    )
    assert rates("floor", lowest=0.1)[:10] == pytest.approx(expected.tolist())


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_a_learning_rate_by_epochs_is_that_of_pytorch(epochs: int) -> None:
    """Annealing over all epochs that begins when the first one is over."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    annealed = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    expected = [0.01, 0.01]
    for _ in range(1, epochs):
        expected += 2 * [float(annealed.get_last_lr()[0])]
        optimiser.step()
        annealed.step()
    found = rates("epochs", steps=2 * epochs, lowest=0.01)
    assert found[:-1] == pytest.approx(expected)


def test_weight_decay_rises_where_there_is_some() -> None:
    parameters = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], "weight_decay": 0}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.1)
    for done, expected in ((0.0, 0.1), (0.5, 0.3), (1.0, 0.5)):
        rising_decay(optimiser, 0.1, 0.5, done)
        assert optimiser.param_groups[0]["weight_decay"] == pytest.approx(expected)
        assert optimiser.param_groups[1]["weight_decay"] == 0


def test_an_order_can_be_entered_anywhere() -> None:
    order = Shuffled(10, 5)
    order.set_epoch(3)
    whole = list(order)
    order.skip = 4
    assert list(order) == whole[4:]
    assert sorted(turn.example for turn in whole) == list(range(10))
    assert {turn.epoch for turn in whole} == {3}
