"""Heads against reference vectors computed independently in NumPy (float64)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Tuning
from adapters.heads.tip_adapter import cache_logits
from adapters.heads.zero_shot import zero_shot_logits

CASES = sorted((Path(__file__).parent / "parity").glob("heads_*.npz"))
OUTPUTS = {
    "zero-shot": "out_zero_shot",
    "tip-adapter": "out_tip_adapter",
    "tip-adapter++": "out_tip_adapter_pp",
}


def read(path: Path) -> dict[str, Tensor]:
    with np.load(path) as vectors:
        return {name: torch.as_tensor(vectors[name]) for name in vectors.files}


def test_the_reference_vectors_are_here() -> None:
    assert len(CASES) == 3


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("method", OUTPUTS)
def test_head_in_faiss_agrees_to_float32_rounding(path: Path, method: str) -> None:
    case = read(path)
    n_classes = len(case["in_text"])
    classes = ClassSet(torch.arange(n_classes) + 100, case["in_text"].float())
    support = SupportSet(
        torch.arange(len(case["in_support"])) * 3,
        case["in_support_label"].long() + 100,
        ImageEmbeddings(case["in_support"].float(), case["in_support_imo"].float()),
    )
    queries = ImageEmbeddings(case["in_query"].float(), case["in_query_imo"].float())
    parameters = {"alpha": case["hp_alpha"].item(), "beta": case["hp_beta"].item()}
    head = HEADS[method](100.0).fit(classes, support, Tuning(parameters, 1.0))
    expected = case[OUTPUTS[method]].float()
    # 100 · cosine reaches 100, and float32 keeps seven digits of it.
    torch.testing.assert_close(head.score(queries).logits, expected, rtol=1e-5, atol=5e-5)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("output", "query", "support"),
    [
        ("out_tip_adapter", "in_query", "in_support"),
        ("out_tip_adapter_pp", "in_query_imo", "in_support_imo"),
    ],
)
def test_equation_agrees_in_float64(path: Path, output: str, query: str, support: str) -> None:
    case = read(path)
    classes = ClassSet(torch.arange(len(case["in_text"])), case["in_text"])
    zero_shot = zero_shot_logits(case["in_query"], classes, 100.0)
    torch.testing.assert_close(zero_shot, case["out_zero_shot"], rtol=0, atol=1e-10)
    affinity = case[query] @ case[support].T
    cache = cache_logits(
        affinity,
        case["in_support_label"].long().expand(len(affinity), -1),
        case["hp_alpha"].item(),
        case["hp_beta"].item(),
        len(classes),
    )
    torch.testing.assert_close(zero_shot + cache, case[output], rtol=0, atol=1e-10)
