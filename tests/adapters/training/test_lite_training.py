"""How `lite`'s projections are learned, on a few classes made up for the test."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.training.methods.lite.class_names import PROMPTS, class_names, prompts
from adapters.training.methods.lite.config import LiteConfig
from adapters.training.methods.lite.model import ClassTexts, centred_rows, closed_form
from adapters.training.methods.lite.objective import learn

FEW_STEPS = LiteConfig(steps=30, batch=64, learning_rate=1e-3)


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
    learned = closed_form(rows, texts, LiteConfig())
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
