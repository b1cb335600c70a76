"""How `lite`'s projections are learned, on a few classes made up for the test."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from adapters.backbones.lite.learning import (
    ClassTexts,
    Settings,
    centred_rows,
    closed_form,
    learn,
)
from adapters.backbones.lite.mixup import clip_loss, geodesic_mix, m2_mix_loss
from adapters.backbones.lite.names import PROMPTS, class_names, prompts

FEW_STEPS = Settings(steps=30, batch=64, learning_rate=1e-3)


def unit(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


@pytest.fixture(scope="module")
def rows() -> Tensor:
    return centred_rows(unit(600, 1280, seed=1))


@pytest.fixture(scope="module")
def texts() -> list[ClassTexts]:
    names = unit(600, 384, seed=2)
    prompted = normalize(names[:, None] + 0.3 * unit(600, 3, 384, seed=3), dim=-1)
    return [ClassTexts(p, c) for p, c in zip(prompted, names, strict=True)]


def test_the_closed_form_recognises_its_classes(rows: Tensor, texts: list[ClassTexts]) -> None:
    learned = closed_form(rows, texts, Settings())
    torch.testing.assert_close(learned.image @ learned.image.T, torch.eye(512), atol=1e-4, rtol=0)
    named = learned.project_texts(torch.stack([text.centre for text in texts]))
    images = learned.project_images(rows + 3 * unit(600, 1280, seed=4))
    hits = (images @ named.T).argmax(dim=1) == torch.arange(600)
    assert hits.float().mean() > 0.9


@pytest.mark.parametrize("closed_form_start", [True, False])
@pytest.mark.parametrize("mix_weight", [0.0, 0.5])
def test_steps_reduce_the_loss(
    rows: Tensor, texts: list[ClassTexts], mix_weight: float, closed_form_start: bool
) -> None:
    losses: list[float] = []
    settings = dataclasses.replace(FEW_STEPS, mix_weight=mix_weight, closed_form=closed_form_start)
    learn(rows, texts, settings, 0, lambda _step, loss: losses.append(loss))
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_the_seed_decides_everything(rows: Tensor, texts: list[ClassTexts]) -> None:
    settings = dataclasses.replace(FEW_STEPS, steps=5)
    first = learn(rows, texts, settings, 0).state()
    torch.manual_seed(99)
    again = learn(rows, texts, settings, 0).state()
    other = learn(rows, texts, settings, 1).state()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["visual.head.proj.weight"], other["visual.head.proj.weight"])


def test_every_class_has_a_name_and_every_name_every_wording() -> None:
    names = class_names()
    assert len(names) == 1000
    assert len({each[0] for each in names}) > 990
    assert prompts(names[0])[: len(PROMPTS)] == [w.format(names[0][0]) for w in PROMPTS]
    assert len(prompts(names[0])) == len(PROMPTS) * len(names[0])


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
    image = unit(8, 32, seed=5, dtype=torch.float64)
    text = unit(8, 32, seed=6, dtype=torch.float64)
    expected = reference_m2_mix(image.numpy(), text.numpy(), 0.3, 20.0)
    assert m2_mix_loss(image, text, 0.3, 20.0).item() == pytest.approx(expected, rel=1e-9)


def test_a_mix_lies_on_the_arc_between() -> None:
    a = unit(4, 16, seed=7, dtype=torch.float64)
    b = unit(4, 16, seed=8, dtype=torch.float64)
    torch.testing.assert_close(geodesic_mix(a, b, 1.0), a)
    torch.testing.assert_close(geodesic_mix(a, b, 0.0), b)
    mixed = geodesic_mix(a, b, 0.25)
    torch.testing.assert_close(mixed.norm(dim=-1), torch.ones(4, dtype=torch.float64))
    angle, part = torch.acos((a * b).sum(-1)), torch.acos((mixed * b).sum(-1))
    torch.testing.assert_close(part, 0.25 * angle)


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["equal", "opposite"])
def test_a_mix_and_its_gradient_stay_finite_at_the_ends(sign: float) -> None:
    a = unit(4, 16, seed=9).requires_grad_()
    b = (sign * a.detach()).requires_grad_()
    mixed = geodesic_mix(a, b, 0.4)
    loss = mixed.sum() + m2_mix_loss(a, b, 0.4, 20.0) + clip_loss(a, b, 20.0)
    loss.backward()
    assert torch.isfinite(mixed).all()
    assert torch.isfinite(a.grad).all()
    assert torch.isfinite(b.grad).all()
