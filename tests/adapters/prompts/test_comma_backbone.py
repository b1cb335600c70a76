"""Trained prompts on disk, and a backbone that uses them."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import normalize

from adapters.backbones.open_clip_models import load_open_clip
from adapters.corrections import Uncorrected
from adapters.corrections.bottleneck import Adapted, attach, tower_fingerprint
from adapters.loading import load_backbone, load_prompted
from adapters.prompts import CommaConfig, PromptError, TrainedPrompts, load_prompts
from adapters.prompts.towers import towers
from tests.small_clip import write_small_clip

CONFIG = CommaConfig(length=2, depth=2, template="a blurry photo of {}.")


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def trained(name: str) -> TrainedPrompts:
    generator = torch.Generator().manual_seed(0)
    return TrainedPrompts(
        CONFIG,
        torch.randn(2, 2, 48, generator=generator),
        torch.randn(2, 2, 64, generator=generator),
        name,
        tower_fingerprint(load_open_clip(name).model),
        {"steps": 7},
    )


@pytest.fixture(scope="module")
def path(trained: TrainedPrompts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run") / "prompts.safetensors"
    trained.save(made)
    return made


def test_prompts_come_back_from_the_disk(trained: TrainedPrompts, path: Path) -> None:
    found = load_prompts(path)
    assert torch.equal(found.text, trained.text)
    assert torch.equal(found.vision, trained.vision)
    assert replace(found, text=trained.text, vision=trained.vision) == trained
    assert path.stat().st_size < 10_000


def test_a_prompted_backbone_encodes_with_the_prompts(
    name: str, trained: TrainedPrompts, path: Path
) -> None:
    encoder = load_open_clip(name)
    prompted = load_prompted(encoder, Uncorrected(), path)
    vision, text = towers(encoder.model)
    pictures = [Image.new("RGB", (50, 40), c) for c in ("red", "navy")]
    pixels = torch.stack([prompted.preprocess(picture) for picture in pictures])
    images = prompted.encode_images(pixels)
    texts = prompted.encode_classes(["SeaLake", "owl"])
    tokens = encoder.tokenizer(["a blurry photo of Sea Lake.", "a blurry photo of owl."])
    with torch.inference_mode():
        normalised = torch.stack([encoder.preprocess(picture) for picture in pictures])
        expected = vision(normalised, trained.vision.unbind())
        written = text(tokens, trained.text.unbind())[0]
    torch.testing.assert_close(images.frozen, normalize(expected, dim=-1))
    assert torch.equal(images.corrected, images.frozen)
    torch.testing.assert_close(texts, normalize(written, dim=-1), rtol=1e-4, atol=1e-5)
    plain = load_backbone(name)
    assert not torch.allclose(images.frozen, plain.encode_images(pixels).frozen, atol=1e-3)
    assert prompted.logit_scale == plain.logit_scale
    assert prompted.templates == (CONFIG.template,)


def test_other_templates_do_not_touch_the_prompts(name: str, path: Path) -> None:
    prompted = load_prompted(load_open_clip(name), Uncorrected(), path)
    own = prompted.encode_classes(["owl", "cat"])
    assert torch.equal(prompted.encode_classes(["owl", "cat"], ["{}", "one {} more"]), own)
    with pytest.raises(PromptError, match=r"first words of 'a blurry photo of \{\}\.'"):
        prompted.encode_texts(["a photo of an owl."])


def test_the_fingerprint_tells_prompts_and_settings_apart(
    name: str, trained: TrainedPrompts, tmp_path: Path
) -> None:
    def fingerprint(prompts: TrainedPrompts) -> str:
        prompts.save(tmp_path / "p")
        return load_prompted(load_open_clip(name), Uncorrected(), tmp_path / "p").fingerprint

    others = [
        fingerprint(trained),
        fingerprint(replace(trained, text=trained.text + 1)),
        fingerprint(replace(trained, vision=trained.vision + 1)),
        fingerprint(replace(trained, config=replace(CONFIG, template="a blurry photo of the {}"))),
        load_backbone(name).fingerprint,
    ]
    assert len(set(others)) == len(others)
    assert fingerprint(replace(trained, record={})) == others[0]


def test_the_name_is_what_a_command_takes(name: str, path: Path) -> None:
    prompted = load_prompted(load_open_clip(name), Uncorrected(), path)
    assert prompted.name == f"{name} --prompts {path}"


def test_an_adapter_works_on_the_prompted_tower(
    name: str, trained: TrainedPrompts, path: Path
) -> None:
    encoder = load_open_clip(name)
    adapter = attach(encoder.visual)
    prompted = load_prompted(encoder, Adapted(adapter), path)
    pixels = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    images = prompted.encode_images(pixels)
    alone = load_prompted(load_open_clip(name), Uncorrected(), path).encode_images(pixels)
    torch.testing.assert_close(images.frozen, alone.frozen)
    torch.testing.assert_close(images.corrected, images.frozen)
    with torch.no_grad():
        adapter.layers[0].get_submodule("up").get_parameter("weight").normal_()
    images = prompted.encode_images(pixels)
    torch.testing.assert_close(images.frozen, alone.frozen)
    assert not torch.allclose(images.corrected, images.frozen, atol=1e-3)


def test_prompts_of_another_model_are_refused(path: Path, tmp_path: Path) -> None:
    other = write_small_clip(tmp_path, seed=1)
    with pytest.raises(PromptError, match="whose weights are not those of local-dir") as refused:
        load_prompted(load_open_clip(other), Uncorrected(), path)
    assert f"handful train comma --backbone {other}" in str(refused.value)


def _spoiled(trained: TrainedPrompts, kind: str, path: Path) -> None:
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"text": [1]}))
    elif kind == "cut":
        trained.save(path)
        path.write_bytes(path.read_bytes()[:-20])
    elif kind == "adapter":
        save_file({"text": trained.text}, path, {"format": "handful-bottleneck-1"})
    elif kind == "shape":
        replace(trained, text=trained.text[:1]).save(path)
    elif kind == "nan":
        replace(trained, vision=trained.vision * float("nan")).save(path)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("missing", "there is no file"),
        ("pickle", "is damaged"),
        ("cut", "is damaged"),
        ("adapter", "holds no prompts"),
        ("shape", "do not fit"),
        ("nan", "not finite"),
    ],
)
def test_what_is_no_prompts_is_refused(
    trained: TrainedPrompts, tmp_path: Path, kind: str, named: str
) -> None:
    path = tmp_path / "p.safetensors"
    _spoiled(trained, kind, path)
    with pytest.raises(PromptError, match=named):
        load_prompts(path)


def test_prompts_of_another_width_are_refused(
    name: str, trained: TrainedPrompts, tmp_path: Path
) -> None:
    replace(trained, text=torch.zeros(2, 2, 50)).save(tmp_path / "p")
    encoder = load_open_clip(name)
    with pytest.raises(PromptError, match=r"width 64 \(images\) and 50 \(texts\)"):
        load_prompted(encoder, Uncorrected(), tmp_path / "p")
