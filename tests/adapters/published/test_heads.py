"""Heads by the equations of their authors' code, against the equations written out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import kl_div, normalize, one_hot

from adapters.embeddings import ImageEmbeddings
from adapters.published import PUBLISHED_HEADS, PublishedHead, Setting, heads

CLASSES, WIDTH, OTHER, SCALE = 4, 8, 6, 20.0


def units(chance: torch.Generator, n: int, width: int) -> Tensor:
    return normalize(torch.randn(n, width, generator=chance), dim=1)


def made(seed: int, n: int = 9) -> tuple[Tensor, ImageEmbeddings, Tensor, ImageEmbeddings, Tensor]:
    """Texts, support images with their columns, queries with theirs; classes are not balanced."""
    chance = torch.Generator().manual_seed(seed)
    columns = torch.tensor([0, 0, 0, 1, 2, 2, 3])
    support = ImageEmbeddings(units(chance, 7, WIDTH), units(chance, 7, OTHER))
    queries = ImageEmbeddings(units(chance, n, WIDTH), units(chance, n, OTHER))
    truth = torch.randint(CLASSES, (n,), generator=chance)
    return units(chance, CLASSES, WIDTH), support, columns, queries, truth


def rescaled(x: Tensor, target: Tensor) -> Tensor:
    """φ: the whole matrix, by its own least and largest element, to the range of the target."""
    unit = (x - x.min()) / (x.max() - x.min())
    return unit * (target.max() - target.min()) + target.min()


def expected(
    name: str,
    texts: Tensor,
    support: ImageEmbeddings,
    columns: Tensor,
    queries: ImageEmbeddings,
    setting: Setting,
) -> Tensor:
    """The logits, in float64: affinity by the head's view, KL of the frozen embeddings alone."""
    texts, frozen, keys = texts.double(), support.frozen.double(), support.frozen.double()
    asked = shown = queries.frozen.double()
    if name.endswith("++"):
        keys, shown = support.corrected.double(), queries.corrected.double()
    logits = SCALE * asked @ texts.T
    if name == "zero-shot":
        return logits
    affinity, labels = shown @ keys.T, one_hot(columns, CLASSES).double()
    logits += setting.alpha * torch.exp(-setting.beta * (1 - affinity)) @ labels
    if name.startswith("tip-x"):
        r, s = (torch.softmax(rows @ texts.T / 0.5, dim=1) for rows in (asked, frozen))
        divergence = torch.stack(
            [torch.stack([kl_div(one.log(), query, reduction="sum") for one in s]) for query in r]
        )
        logits += setting.gamma * -rescaled(divergence, affinity) @ labels
    return logits


@pytest.mark.parametrize("name", PUBLISHED_HEADS)
@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=15)
def test_logits_are_those_of_the_equation(name: str, seed: int) -> None:
    texts, support, columns, queries, truth = made(seed)
    setting = Setting(2.5, 5.0, 1.5)
    head = PublishedHead(name, texts, support, columns, SCALE)
    [block] = head.blocks(queries, truth)
    logits = block.logits(setting.alpha, setting.beta, setting.gamma)
    wanted = expected(name, texts, support, columns, queries, setting)
    torch.testing.assert_close(logits.double(), wanted, atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("name", PUBLISHED_HEADS)
def test_blocks_of_rows_change_nothing_and_phi_sees_all_queries(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    texts, support, columns, queries, truth = made(3)
    head = PublishedHead(name, texts, support, columns, SCALE)
    [whole] = head.blocks(queries, truth)
    monkeypatch.setattr(heads, "_AT_A_TIME", 15)
    parts = list(head.blocks(queries, truth))
    assert len(parts) > 3
    together = torch.cat([part.logits(3.0, 2.0, 4.0) for part in parts])
    torch.testing.assert_close(together, whole.logits(3.0, 2.0, 4.0))


def test_no_range_of_divergences_counts_nothing() -> None:
    # One class: every signature is 1, and every divergence 0.
    chance = torch.Generator().manual_seed(0)
    support = ImageEmbeddings(units(chance, 2, WIDTH), units(chance, 2, OTHER))
    queries = ImageEmbeddings(units(chance, 3, WIDTH), units(chance, 3, OTHER))
    columns = torch.zeros(2, dtype=torch.int64)
    head = PublishedHead("tip-x", units(chance, 1, WIDTH), support, columns, SCALE)
    [block] = head.blocks(queries, torch.zeros(3, dtype=torch.int64))
    assert block.signatures is not None
    assert not block.signatures.any()


def test_a_search_is_what_its_accuracy_says() -> None:
    texts, support, columns, queries, truth = made(11, n=40)
    for name in PUBLISHED_HEADS:
        head = PublishedHead(name, texts, support, columns, SCALE)
        found = head.search(queries, truth)
        assert head.accuracy(queries, truth, found.setting) == pytest.approx(found.accuracy)
        assert found.settings == {"zero-shot": 1}.get(name, 200_000 if "x" in name else 4000)
