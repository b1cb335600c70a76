"""Any open_clip model, on a small randomly initialised ViT."""

from __future__ import annotations

import pickle
from pathlib import Path

import open_clip
import pytest
import torch
from PIL import Image

from adapters.backbones import BackboneError, UnsafeWeights, WeightsUnavailable
from adapters.backbones.backbone import readable
from adapters.loading import load_backbone


class Exploit:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def test_vit_gives_unit_embeddings_of_images_and_texts(tiny_vit: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_vit}")
    pixels = torch.stack(
        [backbone.preprocess(Image.new("RGB", (50, 40), c)) for c in ("red", "navy")]
    )
    assert pixels.shape == (2, 32, 32, 3)
    images = backbone.encode_images(pixels)
    texts = backbone.encode_texts(["a photo of a cat.", "a photo of a dog."])
    assert images.frozen.shape == texts.shape == (2, backbone.width) == (2, 32)
    for rows in (images.frozen, images.corrected, texts):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(2))
    assert not torch.allclose(images.frozen[0], images.frozen[1])


def test_vit_embeddings_are_those_of_open_clip(tiny_vit: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_vit}")
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tiny_vit}")
    image = Image.new("RGB", (50, 40), "teal")
    with torch.inference_mode():
        expected = model.eval().encode_image(preprocess(image).unsqueeze(0), normalize=True)
    found = backbone.encode_images(backbone.preprocess(image).unsqueeze(0)).frozen
    torch.testing.assert_close(found, expected)
    assert backbone.logit_scale == pytest.approx(model.logit_scale.exp().item())


def test_without_an_adapter_both_embeddings_are_the_same(tiny_vit: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_vit}")
    images = backbone.encode_images(torch.zeros(2, 32, 32, 3, dtype=torch.uint8))
    assert torch.equal(images.frozen, images.corrected)


def test_fingerprint_tells_weights_apart_and_nothing_else(tiny_vit: Path) -> None:
    first = load_backbone(f"local-dir:{tiny_vit}").fingerprint
    assert load_backbone(f"local-dir:{tiny_vit}").fingerprint == first
    weights = tiny_vit / "open_clip_model.safetensors"
    content = weights.read_bytes()
    try:
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert load_backbone(f"local-dir:{tiny_vit}").fingerprint != first
    finally:
        weights.write_bytes(content)


def test_a_pickle_is_refused_unread(tmp_path: Path) -> None:
    path, trace = tmp_path / "weights.pt", tmp_path / "trace"
    with path.open("wb") as file:
        pickle.dump({"state_dict": Exploit(trace)}, file)
    with pytest.raises(UnsafeWeights, match="safetensors"):
        load_backbone(f"ViT-B-32/{path}")
    torch.save({"state_dict": Exploit(trace)}, path)
    with pytest.raises(UnsafeWeights, match="safetensors"):
        load_backbone(f"ViT-B-32/{path}")
    assert not trace.exists()


def test_a_checkpoint_of_another_model_is_refused(tiny_vit: Path) -> None:
    with pytest.raises(BackboneError, match="no checkpoint of ViT-B-32"):
        load_backbone(f"ViT-B-32/{tiny_vit / 'open_clip_model.safetensors'}")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("ViT-B16/openai", BackboneError, "did you mean ViT-B-16"),
        ("ViT-B-16", BackboneError, "needs weights"),
        ("ViT-B-16/nosuch", BackboneError, "it has openai"),
        ("ViT-B-16/no/such.pt", WeightsUnavailable, "no checkpoint file no/such.pt"),
        ("local-dir:/no/such/folder", WeightsUnavailable, "open_clip_config.json"),
    ],
)
def test_what_cannot_be_loaded_is_explained(
    name: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_backbone(name)


def test_a_folder_without_weights_is_not_filled_with_random_ones(
    tiny_vit: Path, tmp_path: Path
) -> None:
    (tmp_path / "open_clip_config.json").write_text(
        (tiny_vit / "open_clip_config.json").read_text()
    )
    with pytest.raises(WeightsUnavailable, match="no weights beside"):
        load_backbone(f"local-dir:{tmp_path}")


def test_a_hub_out_of_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsUnavailable, match=r"huggingface\.co/nosuch/model"):
        load_backbone("hf-hub:nosuch/model")
    with pytest.raises(WeightsUnavailable, match=r"clip_224\.openai"):
        load_backbone("ViT-B-16/openai")


def test_openai_weights_get_their_activation() -> None:
    """The premise of the loader's special case: the tag knows what the config does not."""
    assert open_clip.get_pretrained_cfg("ViT-B-16", "openai")["quick_gelu"]
    assert not open_clip.get_model_config("ViT-B-16").get("quick_gelu", False)


def test_templates_are_averaged(tiny_vit: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_vit}")
    one, two = (backbone.encode_texts([t]) for t in ("a photo of sea lake.", "sea lake"))
    mean = torch.nn.functional.normalize((one + two) / 2, dim=-1)
    both = backbone.encode_classes(["SeaLake"], ["a photo of {}.", "{}"])
    torch.testing.assert_close(both, mean, rtol=1e-4, atol=1e-5)
    assert backbone.encode_classes([], ["{}"]).shape == (0, 32)


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("HerbaceousVegetation", "Herbaceous Vegetation"),
        ("sea_lake", "sea lake"),
        ("Alpro-Blueberry-Soyghurt", "Alpro Blueberry Soyghurt"),
        ("iPhone", "iPhone"),
        ("USB", "USB"),
        ("___", "___"),
        ("猫", "猫"),
    ],
)
def test_labels_are_written_as_words(label: str, words: str) -> None:
    assert readable(label) == words
