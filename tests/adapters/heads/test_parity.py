"""Heads against reference vectors computed independently in NumPy (float64).

Case 1 has a different number of images in each class, where the heads balance votes and prior and
the papers do not: there the equations are checked with plain sums.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.gaussians import SharedGaussians
from adapters.heads import HEADS, Head
from adapters.heads.term import zero_shot_logits
from adapters.heads.tip_adapter import cache_logits
from adapters.heads.tip_x import SIGNATURE_TEMPERATURE, Rescaling, divergences, log_signatures
from tests.adapters.synthetic import tuned

CASES = sorted((Path(__file__).parents[1] / "parity").glob("heads_*.npz"))
Case = dict[str, Tensor]

each_case = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
each_case_with_equal_shots = pytest.mark.parametrize(
    "path", [CASES[0], CASES[2]], ids=lambda path: path.stem
)
each_case_with_several_shots = pytest.mark.parametrize(
    "path", CASES[:2], ids=lambda path: path.stem
)


def read(path: Path) -> Case:
    with np.load(path) as vectors:
        return {name: torch.as_tensor(vectors[name]) for name in vectors.files}


def fitted(case: Case, method: str, parameters: dict[str, float], dtype: torch.dtype) -> Head:
    classes = ClassSet(torch.arange(len(case["in_text"])) + 100, case["in_text"].to(dtype))
    support = SupportSet(
        torch.arange(len(case["in_support"])) * 3,
        case["in_support_label"].long() + 100,
        ImageEmbeddings(case["in_support"].to(dtype), case["in_support_imo"].to(dtype)),
    )
    return HEADS[method](100.0).fit(classes, support, tuned(method, **parameters))


def queries(case: Case, dtype: torch.dtype) -> ImageEmbeddings:
    return ImageEmbeddings(case["in_query"].to(dtype), case["in_query_imo"].to(dtype))


def exactly(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)


def within_float32(actual: Tensor, expected: Tensor) -> None:
    # 100 · cosine reaches 100, and float32 keeps seven digits of it.
    torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=5e-5)


def test_the_reference_vectors_are_here() -> None:
    assert len(CASES) == 3
    shots = [torch.bincount(read(path)["in_support_label"].long()) for path in CASES]
    assert [bool((s == s[0]).all()) for s in shots] == [True, False, True]


@each_case
def test_zero_shot_logits_agree(path: Path) -> None:
    case = read(path)
    head = fitted(case, "zero-shot", {}, torch.float64)
    exactly(head.score(queries(case, torch.float64)).logits, case["out_zero_shot"])


# Heads as they serve: FAISS, float32.


def tip_parameters(case: Case) -> dict[str, float]:
    return {name: case[f"hp_{name}"].item() for name in ("alpha", "beta", "gamma")}


@each_case_with_equal_shots
@pytest.mark.parametrize(
    ("method", "output"),
    [
        ("zero-shot", "out_zero_shot"),
        ("tip-adapter", "out_tip_adapter"),
        ("tip-adapter++", "out_tip_adapter_pp"),
        ("tip-x", "out_tip_x_frozen_scaling"),
        ("tip-x++", "out_tip_x_pp_frozen_scaling"),
    ],
)
def test_head_agrees_to_float32_rounding(path: Path, method: str, output: str) -> None:
    case = read(path)
    head = fitted(case, method, tip_parameters(case), torch.float32)
    within_float32(head.score(queries(case, torch.float32)).logits, case[output])


@each_case_with_several_shots
@pytest.mark.parametrize(
    ("dtype", "check"), [(torch.float32, within_float32), (torch.float64, exactly)]
)
def test_gda_agrees_with_the_reference_vectors(
    path: Path, dtype: torch.dtype, check: Callable[[Tensor, Tensor], None]
) -> None:
    case = read(path)
    head = fitted(case, "gda", {"alpha": case["hp_gda_alpha"].item()}, dtype)
    check(head.score(queries(case, dtype)).logits, case["out_gda"])


# Equations, in float64 and with the papers' plain sums.


def affinity(case: Case, suffix: str = "") -> Tensor:
    return case[f"in_query{suffix}"] @ case[f"in_support{suffix}"].T


def one_hot_labels(case: Case) -> Tensor:
    return one_hot(case["in_support_label"].long(), len(case["in_text"])).double()


def tip_logits(case: Case, suffix: str) -> Tensor:
    classes = ClassSet(torch.arange(len(case["in_text"])), case["in_text"])
    cosines = affinity(case, suffix)
    return zero_shot_logits(case["in_query"], classes, 100.0) + cache_logits(
        cosines,
        case["in_support_label"].long().expand(len(cosines), -1),
        case["hp_alpha"].item(),
        case["hp_beta"].item(),
        len(classes),
    )


def signatures(case: Case, images: str) -> Tensor:
    return log_signatures(case[images], case["in_text"])


@each_case
@pytest.mark.parametrize(
    ("output", "suffix"), [("out_tip_adapter", ""), ("out_tip_adapter_pp", "_imo")]
)
def test_equation_of_tip_adapter_agrees(path: Path, output: str, suffix: str) -> None:
    case = read(path)
    exactly(tip_logits(case, suffix), case[output])


@each_case
def test_divergences_agree_with_the_reference_vectors(path: Path) -> None:
    case = read(path)
    assert case["hp_temperature"].item() == SIGNATURE_TEMPERATURE
    exactly(
        divergences(signatures(case, "in_query"), signatures(case, "in_support")), case["out_kl"]
    )


@each_case
@pytest.mark.parametrize(
    ("output", "suffix"),
    [("out_tip_x_frozen_scaling", ""), ("out_tip_x_pp_frozen_scaling", "_imo")],
)
def test_equation_of_tip_x_with_frozen_scaling_agrees(path: Path, output: str, suffix: str) -> None:
    case = read(path)
    log_s = signatures(case, "in_support")
    keys = case[f"in_support{suffix}"]
    phi = Rescaling.of(divergences(log_s, log_s), keys @ keys.T)
    m = divergences(signatures(case, "in_query"), log_s)
    term = -case["hp_gamma"].item() * phi(m) @ one_hot_labels(case)
    exactly(tip_logits(case, suffix) + term, case[output])


@each_case
def test_the_authors_tip_x_differs_in_the_range_of_the_rescaling_alone(path: Path) -> None:
    case = read(path)
    m = divergences(signatures(case, "in_query"), signatures(case, "in_support"))
    a = affinity(case)
    slope = float((a.max() - a.min()) / (m.max() - m.min()))
    batch_scaling = Rescaling(slope, float(a.min() - slope * m.min()))
    term = -case["hp_gamma"].item() * batch_scaling(m) @ one_hot_labels(case)
    expected = case["out_tip_x_authors_batch_scaling"]
    exactly(tip_logits(case, "") + term, expected)
    # And that range makes a difference: it is not a matter of taste that it is frozen.
    assert (expected - case["out_tip_x_frozen_scaling"]).abs().max() > 1e-2


@each_case_with_several_shots
def test_discriminants_of_the_gaussians_agree(path: Path) -> None:
    case = read(path)
    columns = case["in_support_label"].long()
    weights, bias = (
        SharedGaussians().fit(case["in_support"], columns, len(case["in_text"])).linear()
    )
    exactly(case["in_query"] @ weights.T + bias, case["out_gda_scores"])
