"""Relational distillation: views of an image come together, others stay apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig, attach
from adapters.training.loop import LoopSettings, train
from adapters.training.methods.imo.objectives.distillation import Distillation
from adapters.training.methods.imo.objectives.relational import RelationalDistillation
from tests.adapters.training.test_distillation import Shifted, Tower

SETTINGS = LoopSettings(epochs=8, batch=16, learning_rate=2e-2, seed=1)


def made(
    projection: nn.Module | None = None, share: float = 1.0
) -> tuple[Tower, BottleneckAdapter, RelationalDistillation]:
    torch.manual_seed(0)
    tower = Tower()
    adapter = attach(tower, BottleneckConfig(width=24, scale=1.0))
    rest = projection or nn.Identity()
    objective = RelationalDistillation(tower, adapter, 12, rest, share, memory=32, teacher=0.2)
    return tower, adapter, objective


def margin(tower: Tower, data: Shifted) -> float:
    """How much more alike two views of a point are than views of two points."""
    with torch.no_grad():
        plain, restyled = (
            normalize(tower(points), dim=-1) for points in (data.points, data.points @ data.style)
        )
    cosines = plain @ restyled.T
    others = (cosines.sum() - cosines.trace()) / (len(cosines) * (len(cosines) - 1))
    return float(cosines.diag().mean() - others)


def test_views_of_an_image_come_together() -> None:
    data = Shifted()
    tower, _, objective = made()
    before = margin(tower, data)
    losses = train(objective, data, SETTINGS, device="cpu").losses
    assert sum(losses[-4:]) < sum(losses[:4])
    assert margin(tower, data) > before + 0.1


def test_only_the_adapter_learns() -> None:
    _, adapter, objective = made(nn.Linear(12, 5, bias=False))
    frozen = {name: value.clone() for name, value in objective.state_dict().items()}
    train(objective, Shifted(), SETTINGS, device="cpu")
    changed = {n for n, v in objective.state_dict().items() if not torch.equal(frozen[n], v)}
    assert changed == {f"adapter.{name}" for name in adapter.state_dict()} | {"memory", "seen"}


def test_the_loss_is_that_of_distillation_and_the_cross_entropy_of_likenesses() -> None:
    projection = nn.Linear(12, 5, bias=False)
    tower, adapter, objective = made(projection, share=3.0)
    nn.init.normal_(adapter.layers[0].get_parameter("up.weight"))
    data = Shifted()
    plain, restyled = data.points[:4], data.points[:4] @ data.style
    with torch.no_grad():
        loss = objective(plain, restyled).item()
        distilled = Distillation(tower, adapter, 12, memory=32)(plain, restyled).item()
        with adapter.frozen():
            frozen = normalize(tower(plain), dim=-1)
            projected = normalize(projection(tower(plain)), dim=-1)
        views = [*tower(plain), *tower(restyled)]
    expected = 0.0
    for i, one in enumerate(views):
        others = [j for j in range(8) if j != i]
        aims = [
            (_cosine(frozen, i % 4, j % 4) + _cosine(projected, i % 4, j % 4)) / 2 for j in others
        ]
        found = [torch.cosine_similarity(one, views[j], dim=0) for j in others]
        p = torch.stack(aims).div(0.2).softmax(dim=0)
        expected -= float((p * torch.stack(found).div(0.1).log_softmax(dim=0)).sum()) / 8
    assert loss == pytest.approx(distilled + 3 * expected, rel=1e-4)


def _cosine(rows: Tensor, i: int, j: int) -> Tensor:
    centred = rows - rows.mean(dim=0)
    return torch.cosine_similarity(centred[i], centred[j], dim=0)


def test_gradients_are_finite_for_images_that_are_alike() -> None:
    _, adapter, objective = made()
    nn.init.normal_(adapter.layers[0].get_parameter("up.weight"))
    points = Shifted().points[:1].repeat(4, 1)
    objective(points, points).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in adapter.parameters())
