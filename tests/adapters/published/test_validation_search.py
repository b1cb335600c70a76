"""The search finds what trying every setting of the grid finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adapters.published import PUBLISHED_GRID, Block, Grid, Setting, search

GRID = Grid((0.0, 0.1, 0.7, 3.0, 20.0), (0.0, 1.0, 5.5, 20.0), (0.0, 0.6, 2.0, 30.0))


def tried(blocks: list[Block], grid: Grid) -> tuple[Setting, float]:
    """Loops over α, β and γ, as the authors' are; logits in float64."""
    best, chosen = -1, Setting()
    gammas = grid.gammas if blocks[0].signatures is not None else (0.0,)
    for alpha in grid.alphas:
        for beta in grid.betas:
            for gamma in gammas:
                correct = 0
                for block in blocks:
                    logits = block.zero_shot.double() + alpha * block.votes(beta).double()
                    if block.signatures is not None:
                        logits += gamma * block.signatures.double()
                    correct += int((logits.argmax(dim=1) == block.truth).sum())
                if correct > best:
                    best, chosen = correct, Setting(alpha, beta, gamma)
    return chosen, best / sum(len(block.truth) for block in blocks)


def made(seed: int, n: int, classes: int, shots: int, *, signatures: bool) -> Block:
    """A block whose terms are of like size, so that every one of them decides something."""
    chance = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=chance)

    truth = torch.randint(classes, (n,), generator=chance)
    zero_shot = normal(n, classes)
    zero_shot[torch.arange(n), truth] += 0.8
    affinity = (0.7 + 0.1 * normal(n, classes * shots)).clamp(-1, 1)
    return Block(
        zero_shot,
        affinity,
        torch.arange(classes).repeat(shots),
        0.2 * normal(n, classes) if signatures else None,
        truth,
    )


@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 12),
    classes=st.integers(1, 6),
    shots=st.integers(1, 3),
    signatures=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_it_finds_what_trying_every_setting_finds(
    seed: int, n: int, classes: int, shots: int, signatures: bool
) -> None:
    blocks = [
        made(seed, n, classes, shots, signatures=signatures),
        made(seed + 1, 3, classes, shots, signatures=signatures),
    ]
    found = search(blocks, GRID)
    assert (found.setting, found.accuracy) == tried(blocks, GRID)


@given(seed=st.integers(0, 2**32), same=st.integers(0, 3))
@settings(deadline=None, max_examples=30)
def test_ties_go_to_the_class_that_comes_first(seed: int, same: int) -> None:
    # Two classes that are alike in all terms, and a true class on either side of a tie.
    block = made(seed, 8, 4, 1, signatures=True)
    assert block.signatures is not None
    for term in (block.zero_shot, block.affinity, block.signatures):
        term[:, 3] = term[:, same]
    found = search([block], GRID)
    assert (found.setting, found.accuracy) == tried([block], GRID)


@pytest.mark.parametrize("signatures", [False, True])
def test_how_the_work_is_divided_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, signatures: bool
) -> None:
    block = made(5, 30, 5, 2, signatures=signatures)
    whole = search([block], GRID)
    monkeypatch.setattr("adapters.published.validation_search._AT_A_TIME", 7)
    parts = [
        replace(
            block,
            zero_shot=block.zero_shot[rows],
            affinity=block.affinity[rows],
            signatures=None if block.signatures is None else block.signatures[rows],
            truth=block.truth[rows],
        )
        for rows in (slice(0, 11), slice(11, 30))
    ]
    assert search(parts, GRID) == whole
    assert whole.settings == len(GRID.alphas) * len(GRID.betas) * (4 if signatures else 1)


def test_the_grid_is_the_published_one() -> None:
    # linspace(0, 20, 200), linspace(0, 20, 20) and linspace(0, 30, 50) of their run.py.
    for values, most, n in zip(
        (PUBLISHED_GRID.alphas, PUBLISHED_GRID.betas, PUBLISHED_GRID.gammas),
        (20, 20, 30),
        (200, 20, 50),
        strict=True,
    ):
        assert len(values) == n
        assert values == pytest.approx([most * i / (n - 1) for i in range(n)])


def test_nothing_to_search_on_is_refused() -> None:
    with pytest.raises(ValueError, match="no validation images"):
        search([])
