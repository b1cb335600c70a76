"""`lite` as an open_clip model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from adapters.backbone_errors import WeightsUnavailable
from adapters.backbones import DualEncoder
from adapters.backbones.lite import TEMPLATES, projections
from adapters.backbones.lite.model import build_lite


@pytest.fixture(scope="module")
def lite() -> DualEncoder:
    return build_lite()


@torch.inference_mode()
def encode_texts(lite: DualEncoder, texts: Sequence[str]) -> Tensor:
    model: Any = lite.model
    embedded: Tensor = model.encode_text(lite.tokenizer(texts), normalize=True)
    return embedded


@torch.inference_mode()
def encode_image(lite: DualEncoder, picture: str) -> Tensor:
    model: Any = lite.model
    pixels = lite.preprocess(Image.fromarray(getattr(data, picture)()).convert("RGB"))
    assert pixels.shape == (3, 224, 224)
    embedded: Tensor = model.encode_image(pixels.unsqueeze(0), normalize=True)
    return embedded


def test_it_is_an_open_clip_model_ready_to_use(lite: DualEncoder) -> None:
    model: Any = lite.model
    assert isinstance(model, open_clip.CustomTextCLIP)
    assert not model.training
    assert model.visual.head.proj.weight.shape == (512, 1280)
    assert model.text.proj.centres.shape == (1000, 384)
    assert model.text.proj.values.shape == (1000, 512)
    assert 10 < model.logit_scale.exp() < 100


def test_it_is_built_the_same_every_time_and_draws_no_random_numbers(lite: DualEncoder) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    again = build_lite().model.state_dict()
    assert torch.equal(torch.rand(1), expected)
    first = lite.model.state_dict()
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_embeddings_are_unit_vectors_and_repeatable(lite: DualEncoder) -> None:
    image = encode_image(lite, "chelsea")
    text = encode_texts(lite, ["a photo of a cat.", "a photo of a rocket."])
    assert image.shape == (1, 512)
    assert text.shape == (2, 512)
    torch.testing.assert_close(image.norm(dim=-1), torch.ones(1))
    torch.testing.assert_close(text.norm(dim=-1), torch.ones(2))
    assert torch.equal(image, encode_image(lite, "chelsea"))


def test_a_text_does_not_depend_on_its_neighbours(lite: DualEncoder) -> None:
    alone = encode_texts(lite, ["a photo of a cat."])
    beside = encode_texts(lite, ["a photo of a cat.", "a photo of " + "a very long name " * 30])
    torch.testing.assert_close(alone[0], beside[0], atol=1e-5, rtol=0)


def test_texts_of_no_words_or_too_many_are_encoded(lite: DualEncoder) -> None:
    encoded = encode_texts(lite, ["", "word " * 500, "Ж 日本語 🙂"])
    assert torch.isfinite(encoded).all()


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        ("chelsea", "cat"),
        ("rocket", "rocket"),
        ("coffee", "cup of coffee"),
        ("brick", "brick wall"),
    ],
)
def test_photographs_are_recognised_by_name(lite: DualEncoder, picture: str, name: str) -> None:
    names = ["cat", "rocket", "cup of coffee", "brick wall", "guitar", "airplane", "face", "fish"]
    texts = encode_texts(lite, [TEMPLATES[0].format(each) for each in names])
    image = encode_image(lite, picture)
    model: Any = lite.model
    probabilities = (model.logit_scale.exp().item() * image @ texts.T).softmax(dim=-1)[0]
    assert names[int(probabilities.argmax())] == name
    assert probabilities.max() > 0.5


@pytest.mark.long
def test_it_is_built_without_the_network_or_sentence_transformers() -> None:
    program = """
import socket, sys
def refuse(*arguments, **options):
    print("network")
    raise OSError("no network here")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from adapters.backbones.lite.model import build_lite
build_lite()
print("sentence_transformers" in sys.modules)
"""
    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    finished = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path(__file__).parents[3],
    )
    assert finished.stdout.split() == ["False"]


def test_projections_that_do_not_match_their_provenance_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "files", lambda _package: tmp_path)
    with pytest.raises(WeightsUnavailable, match="handful train lite"):
        projections.projections_state()
    (tmp_path / projections.PROJECTIONS_NAME).write_bytes(b"something else")
    (tmp_path / projections.PROVENANCE_NAME).write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(WeightsUnavailable, match="SHA-256"):
        projections.projections_state()
