"""Geodesic mixup against the reference vectors, the formula pair by pair, and at its ends."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from adapters.training.methods.mixup.geodesic import geodesic_mix
from adapters.training.methods.mixup.losses import MIXES, clip_loss, m2_mix

CASES = sorted((Path(__file__).parents[1] / "parity").glob("mixup_*.npz"))
FLOATS = [torch.float32, torch.float64]

few = settings(max_examples=60, deadline=None)


def unit(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


def at_angle(a: Tensor, theta: float, seed: int) -> Tensor:
    """Unit vectors at an angle to rows of a."""
    other = unit(*a.shape, seed=seed).to(a.dtype)
    tangent = normalize(other - (other * a).sum(-1, keepdim=True) * a, dim=-1)
    return a * math.cos(theta) + tangent * math.sin(theta)


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_losses_equal_the_reference(path: Path) -> None:
    case = np.load(path)
    images, texts = torch.from_numpy(case["in_image"]), torch.from_numpy(case["in_caption"])
    share, scale = float(case["hp_lam"]), 1 / float(case["hp_tau"])
    assert clip_loss(images, texts, scale).item() == pytest.approx(case["out_clip"], abs=1e-10)
    for name, mix in MIXES.items():
        loss = mix(images, texts, share, scale).item()
        assert loss == pytest.approx(case[f"out_{name}_mix"], abs=1e-10), name


def test_there_are_two_references() -> None:
    assert [path.name for path in CASES] == ["mixup_0.npz", "mixup_1.npz"]


def reference_m2_mix(
    image: NDArray[np.float64], text: NDArray[np.float64], share: float, scale: float
) -> float:
    """The formula of the paper, written out pair by pair."""
    total = 0.0
    for anchors, partners in ((image, text), (text, image)):
        for i, anchor in enumerate(anchors):
            logits = []
            for j in range(len(image)):
                if i == j:
                    logits.append(scale * float(anchor @ partners[i]))
                    continue
                angle = math.acos(float(image[j] @ text[j]))
                mixed = image[j] * math.sin(share * angle) + text[j] * math.sin((1 - share) * angle)
                logits.append(scale * float(anchor @ mixed) / math.sin(angle))
            total += math.log(sum(math.exp(x) for x in logits)) - logits[i]
    return total / len(image)


def test_m2_mix_equals_the_formula() -> None:
    image, text = unit(8, 32, seed=5), unit(8, 32, seed=6)
    expected = reference_m2_mix(image.numpy(), text.numpy(), 0.3, 20.0)
    assert m2_mix(image, text, 0.3, 20.0).item() == pytest.approx(expected, rel=1e-9)


def test_an_odd_batch_mixes_its_middle_with_itself() -> None:
    images, texts = unit(5, 16, seed=1).requires_grad_(), unit(5, 16, seed=2)
    for mix in MIXES.values():
        loss = mix(images, texts, 0.3, 20.0)
        (gradient,) = torch.autograd.grad(loss, images)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()


def test_a_mix_lies_on_the_arc_between() -> None:
    a, b = unit(4, 16, seed=7), unit(4, 16, seed=8)
    torch.testing.assert_close(geodesic_mix(a, b, 1.0), a)
    torch.testing.assert_close(geodesic_mix(a, b, 0.0), b)
    mixed = geodesic_mix(a, b, 0.25)
    angle, part = torch.acos((a * b).sum(-1)), torch.acos((mixed * b).sum(-1))
    torch.testing.assert_close(part, 0.25 * angle)


def test_the_gradient_is_the_one_of_the_formula() -> None:
    def by_formula(a: Tensor, b: Tensor) -> Tensor:
        # Upstream of a mix, embeddings are normalised: without it gradients differ along a and b.
        a, b = normalize(a, dim=-1), normalize(b, dim=-1)
        angle = torch.acos((a * b).sum(-1, keepdim=True))
        return (a * torch.sin(0.3 * angle) + b * torch.sin(0.7 * angle)) / torch.sin(angle)

    def ours(a: Tensor, b: Tensor) -> Tensor:
        return geodesic_mix(normalize(a, dim=-1), normalize(b, dim=-1), 0.3)

    a, b = unit(4, 16, seed=7).requires_grad_(), unit(4, 16, seed=8).requires_grad_()
    weights = unit(4, 16, seed=9)
    expected = torch.autograd.grad((by_formula(a, b) * weights).sum(), (a, b))
    found = torch.autograd.grad((ours(a, b) * weights).sum(), (a, b))
    torch.testing.assert_close(found, expected)
    assert torch.autograd.gradcheck(ours, (a, b))


@few
@given(
    theta=st.floats(0, math.pi, exclude_max=True),
    share=st.floats(0, 1),
    dtype=st.sampled_from(FLOATS),
    seed=st.integers(0, 99),
)
def test_a_mix_stays_on_the_sphere_and_its_gradient_is_finite(
    theta: float, share: float, dtype: torch.dtype, seed: int
) -> None:
    a = unit(3, 8, seed=seed).to(dtype).requires_grad_()
    b = at_angle(a.detach(), theta, seed + 100).requires_grad_()
    mixed = geodesic_mix(a, b, share)
    epsilon = torch.finfo(dtype).eps
    assert (mixed.norm(dim=-1) - 1).abs().max() < 8 * epsilon
    # It divides the angle; up to what is left open of opposite vectors.
    part = 2 * torch.atan2((mixed - b).norm(dim=-1), (mixed + b).norm(dim=-1))
    torch.testing.assert_close(
        part, torch.full_like(part, share * theta), atol=4 * epsilon**0.5, rtol=0
    )
    mixed.square().cumsum(-1).sum().backward()
    assert torch.isfinite(a.grad).all()
    assert torch.isfinite(b.grad).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "beside", [0.0, 1e-40, 1e-20, 1e-12, 1e-9, 1e-8, 1e-7, 1e-5, 3e-4, 4e-4, 1e-3]
)
@pytest.mark.parametrize("opposite", [False, True])
def test_values_and_gradients_are_finite_at_the_ends(
    opposite: bool, beside: float, dtype: torch.dtype
) -> None:
    a = torch.eye(4, 16, dtype=dtype)
    b = a.clone()
    b[:, -1] = beside
    a, b = a.requires_grad_(), (-b if opposite else b).requires_grad_()
    loss = geodesic_mix(a, b, 0.4).cumsum(-1).sum() + clip_loss(a, b, 20.0)
    loss = loss + sum(mix(a, b, 0.4, 20.0) for mix in MIXES.values())
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(a.grad).all()
    assert torch.isfinite(b.grad).all()
    # The true gradient at 0 is of the size of the vectors; at the other end there is a bound.
    limit = 100 if not opposite else 100 / torch.finfo(dtype).eps ** 0.5
    assert max(a.grad.abs().max(), b.grad.abs().max()) < limit


def test_geodesic_mix_gradient_is_continuous_at_angle_zero() -> None:
    a = unit(4, 16, seed=3)
    weights = unit(4, 16, seed=4)
    gradients = []
    for theta in (0.0, 1e-5):
        b = at_angle(a, theta, seed=5).requires_grad_()
        gradients.append(torch.autograd.grad((geodesic_mix(a, b, 0.3) * weights).sum(), b)[0])
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-4, rtol=0)


def test_opposite_vectors_are_joined_by_some_great_circle() -> None:
    a = unit(4, 16, seed=3)
    mixed = geodesic_mix(a, -a, 0.5)
    torch.testing.assert_close(mixed.norm(dim=-1), torch.ones(4, dtype=a.dtype))
    torch.testing.assert_close((mixed * a).sum(-1), torch.zeros(4, dtype=a.dtype))
