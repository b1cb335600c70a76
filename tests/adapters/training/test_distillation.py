"""Distillation: the adapted tower learns to see a changed image as the frozen one sees it plain."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig, attach
from adapters.training.loop import LoopSettings, train
from adapters.training.methods.imo.objectives.distillation import Distillation
from adapters.training.order import Turn

SETTINGS = LoopSettings(epochs=6, batch=16, learning_rate=2e-2, seed=1)


def unit(n: int, width: int, seed: int) -> Tensor:
    return normalize(torch.randn(n, width, generator=torch.Generator().manual_seed(seed)), dim=-1)


class Block(nn.Module):
    """Looks to `places` like a block of a ViT."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_2 = nn.Identity()
        self.mlp = nn.Sequential(nn.Linear(12, 12))

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.mlp(self.ln_2(x))
        return changed


class Tower(nn.Module):
    """One block; its input is the image itself."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList([Block()])

    def forward(self, pixels: Tensor) -> Tensor:
        embedded: Tensor = self.transformer.resblocks[0](pixels)
        return embedded


class Shifted:
    """Points, and the same ones turned into another style: some of their coordinates changed."""

    def __init__(self) -> None:
        self.points = unit(64, 12, seed=4)
        self.style = torch.diag(torch.tensor([1.0] * 8 + [-1.0] * 4))

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        point = self.points[turn.example]
        return point, point @ self.style


def made(memory: int = 32) -> tuple[Tower, BottleneckAdapter, Distillation]:
    torch.manual_seed(0)
    tower = Tower()
    adapter = attach(tower, BottleneckConfig(width=24, scale=1.0))
    return tower, adapter, Distillation(tower, adapter, 12, memory=memory)


def nearness(tower: Tower, adapter: BottleneckAdapter, data: Shifted) -> float:
    """Share of the restyled points whose nearest plain point, as frozen, is their own."""
    with torch.no_grad():
        with adapter.frozen():
            plain = normalize(tower(data.points), dim=-1)
        found = normalize(tower(data.points @ data.style), dim=-1)
    return ((found @ plain.T).argmax(dim=1) == torch.arange(len(data))).float().mean().item()


def test_the_adapted_tower_comes_to_see_through_a_style() -> None:
    data = Shifted()
    tower, adapter, objective = made()
    before = nearness(tower, adapter, data)
    losses = train(objective, data, SETTINGS, device="cpu").losses
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert nearness(tower, adapter, data) > before + 0.2


def test_only_the_adapter_learns() -> None:
    tower, adapter, objective = made()
    frozen = {name: value.clone() for name, value in tower.state_dict().items()}
    learned = {name: value.clone() for name, value in adapter.state_dict().items()}
    train(objective, Shifted(), SETTINGS, device="cpu")
    assert all(torch.equal(frozen[name], value) for name, value in tower.state_dict().items())
    assert all(not torch.equal(learned[n], v) for n, v in adapter.state_dict().items())


def test_the_loss_is_the_cross_entropy_of_similarities() -> None:
    tower, adapter, objective = made()
    nn.init.normal_(adapter.layers[0].get_parameter("up.weight"))
    data = Shifted()
    plain, restyled = data.points[:4], data.points[:4] @ data.style
    earlier = data.points[8:14]
    with torch.no_grad():
        objective.train()
        objective(earlier, earlier)  # is remembered
        objective.eval()
        loss = objective(plain, restyled).item()
        with adapter.frozen():
            target, known = normalize(tower(plain), dim=-1), normalize(tower(earlier), dim=-1)
        found = normalize(tower(restyled), dim=-1)
    every = torch.cat([target, known])
    centre = every.mean(dim=0)
    expected = 0.0
    for wanted, got in zip(target, found, strict=True):
        cosines = [
            [torch.cosine_similarity(x - centre, other - centre, dim=0) for other in every]
            for x in (wanted, got)
        ]
        p, q = (torch.stack(row).div(0.05).softmax(dim=0) for row in cosines)
        expected -= float((p * q.log()).sum()) / 4
    assert loss == pytest.approx(expected, rel=1e-4)


def test_memory_holds_the_last_images_as_the_frozen_tower_sees_them() -> None:
    tower, adapter, objective = made(memory=10)
    nn.init.normal_(adapter.layers[0].get_parameter("up.weight"))
    points = unit(12, 12, seed=8)
    objective.train()
    for part in points.split(4):
        objective(part, part)
    assert int(objective.seen) == 10
    with adapter.frozen(), torch.no_grad():
        expected = normalize(tower(torch.cat([points[8:], points[4:8], points[:2]])), dim=-1)
    torch.testing.assert_close(objective.memory, expected)
    objective.eval()
    objective(points[:4], points[:4])
    torch.testing.assert_close(objective.memory, expected)
