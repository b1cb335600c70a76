"""Folders of ``transformers``: embeddings equal to that library's, and what is wrong is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from open_clip.tokenizer import SimpleTokenizer
from transformers import AutoTokenizer, CLIPImageProcessor, SiglipImageProcessor

from adapters.backbones import BackboneError, WeightsUnavailable
from adapters.backbones.checkpoints import transformers_folder
from adapters.backbones.checkpoints.convert import convert
from adapters.backbones.checkpoints.recognise import recognised_file, recognised_folder
from adapters.loading import load_backbone
from tests.adapters.backbones.checkpoints.comparing import (
    CLOSE,
    FAR,
    SAME,
    cosines,
    images_of,
    own_pixels,
    picture,
    with_other_activation,
)
from tests.adapters.backbones.checkpoints.openai_archives import TEXTS
from tests.adapters.backbones.checkpoints.transformers_folders import (
    SIGLIP_TIMM,
    embedded,
    write_clip,
    write_siglip,
)

pytestmark = pytest.mark.filterwarnings("ignore")


def changed(folder: Path, name: str, **values: Any) -> None:
    """Change what a JSON file says; a dictionary is merged, None takes a value away."""
    path = folder / name
    told = json.loads(path.read_text())
    for key, value in values.items():
        merged = told[key] | value if isinstance(value, dict) and key in told else value
        told |= {key: merged}
    path.write_text(json.dumps({key: value for key, value in told.items() if value is not None}))


@pytest.mark.parametrize("act", ["quick_gelu", "gelu", "gelu_pytorch_tanh"])
def test_embeddings_of_clip_are_those_of_transformers(act: str, tmp_path: Path) -> None:
    model = write_clip(tmp_path, act)
    backbone = load_backbone(f"local-dir:{tmp_path}")
    image = picture()
    prepared = CLIPImageProcessor.from_pretrained(tmp_path)(image, return_tensors="pt")
    with torch.no_grad():
        same_pixels = embedded(model.get_image_features(own_pixels(backbone, image)))
        by_transformers = embedded(model.get_image_features(**prepared))
        texts = embedded(model.get_text_features(SimpleTokenizer()(TEXTS)))
    assert cosines(images_of(backbone, image), same_pixels).min() > SAME
    assert cosines(images_of(backbone, image), by_transformers).min() > CLOSE
    assert cosines(backbone.encode_texts(TEXTS), texts).min() > SAME
    assert backbone.logit_scale == pytest.approx(model.logit_scale.exp().item())
    wrong = with_other_activation(recognised_folder(tmp_path))  # which the comparison would notice
    assert cosines(wrong.encode_texts(TEXTS), texts).max() < FAR
    assert cosines(images_of(wrong, image), same_pixels).max() < FAR


def test_embeddings_of_siglip_are_those_of_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {(64, 2, 2, 256): "tinytest"}
    monkeypatch.setattr(transformers_folder, "_SIGLIP_SIZES", sizes)
    _register_tower()
    (tmp_path / "hf").mkdir()
    model = write_siglip(tmp_path / "hf")
    convert(recognised_folder(tmp_path / "hf"), tmp_path / "out")
    backbone = load_backbone(f"local-dir:{tmp_path / 'out'}")
    image = picture()
    prepared = SiglipImageProcessor.from_pretrained(tmp_path / "hf")(image, return_tensors="pt")
    texts = ["a photo of a cat", "hello world", "world"]
    tokens = AutoTokenizer.from_pretrained(tmp_path / "hf")(
        texts, padding="max_length", max_length=64, return_tensors="pt"
    )
    with torch.no_grad():
        same_pixels = embedded(model.get_image_features(own_pixels(backbone, image)))
        by_transformers = embedded(model.get_image_features(**prepared))
        expected = embedded(model.get_text_features(tokens.input_ids))
    # timm's tower computes GELU where this library has its approximation.
    assert cosines(images_of(backbone, image), same_pixels).min() > CLOSE
    assert cosines(images_of(backbone, image), by_transformers).min() > CLOSE
    # SigLIP's texts have neither capitals nor punctuation.
    assert cosines(backbone.encode_texts(["A photo of a cat.", *texts[1:]]), expected).min() > CLOSE
    assert cosines(expected[:1], expected[1:2]).max() < CLOSE


def _register_tower() -> None:
    if timm.is_model(SIGLIP_TIMM):
        return
    from timm.models.vision_transformer import VisionTransformer

    def vit_tinytest_patch8_siglip_32(pretrained: bool = False, **options: Any) -> Any:
        del pretrained, options["pretrained_cfg"], options["pretrained_cfg_overlay"]
        return VisionTransformer(
            img_size=32, patch_size=8, embed_dim=64, depth=2, num_heads=2, class_token=False,
            **{key: value for key, value in options.items() if key != "cache_dir"},
        )  # fmt: skip

    vit_tinytest_patch8_siglip_32.__module__ = "timm.models.vision_transformer"
    timm.models.register_model(vit_tinytest_patch8_siglip_32)


def test_shards_and_pickles_are_the_same_model(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    model = write_clip(tmp_path / "one")
    whole = recognised_folder(tmp_path / "one").state
    (tmp_path / "shards").mkdir()
    write_clip(tmp_path / "shards", shards="5MB")
    assert (tmp_path / "shards" / "model.safetensors.index.json").is_file()
    (tmp_path / "one" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "one" / "pytorch_model.bin")
    for folder in ("one", "shards"):
        state = recognised_folder(tmp_path / folder).state
        assert state.keys() == whole.keys()
        assert all(torch.equal(state[name], whole[name]) for name in whole)


def test_a_single_file_takes_the_configuration_beside_it(tmp_path: Path) -> None:
    write_clip(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "fine-tuned.safetensors")
    found = recognised_file(tmp_path / "fine-tuned.safetensors")
    assert found.found == "a CLIPModel of transformers, quick_gelu"
    (tmp_path / "config.json").unlink()
    with pytest.raises(BackboneError, match=r"put its config\.json beside it"):
        recognised_file(tmp_path / "fine-tuned.safetensors")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"model_type": "bert"}, "of a model of the type 'bert'"),
        ("config.json", {"vision_config": {"hidden_act": "gelu"}}, "different activations"),
        ("config.json", {"vision_config": {"image_size": 40}}, "image tower takes 40 pixels"),
        ("config.json", {"vision_config": {"patch_size": 4}}, "another patch size"),
        ("config.json", {"vision_config": {"num_hidden_layers": 10**6}}, "layers"),
        ("config.json", {"vision_config": {"hidden_size": 2**40}}, "larger than any model"),
        ("config.json", {"text_config": {"max_position_embeddings": 64}}, "context length"),
        ("config.json", {"text_config": {"vocab_size": 49407}}, "49408 words"),
        ("config.json", {"text_config": {"eos_token_id": 7}}, "texts end with 7"),
        ("config.json", {"projection_dim": 32}, "of another shape"),
        ("preprocessor_config.json", {"crop_size": {"height": 30}}, "takes 32 pixels"),
        ("preprocessor_config.json", {"resample": 0}, "neither bilinear"),
        ("preprocessor_config.json", {"do_pad": True}, "do_pad is true"),
        ("config.json", {"vision_config": {"layer_norm_eps": float("nan")}}, "NaN is no number"),
        ("config.json", {"vision_config": {"num_channels": 1}}, "3 channels, not 1"),
        ("preprocessor_config.json", {"do_normalize": False}, "do_normalize is False"),
        ("preprocessor_config.json", {"image_mean": [127, 127, 127]}, "no mean or standard"),
        ("preprocessor_config.json", {"image_std": None}, "does not say how pictures"),
    ],
)
def test_what_does_not_go_together_is_refused(
    name: str, values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_clip(tmp_path)
    changed(tmp_path, name, **values)
    with pytest.raises(BackboneError, match=message):
        load_backbone(f"local-dir:{tmp_path}")


def test_a_folder_without_pixels_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsUnavailable, match=r"preprocessor_config\.json"):
        recognised_folder(tmp_path)


def test_another_tokenizer_than_clips_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path)
    words = dict(SimpleTokenizer().encoder)
    words["<|startoftext|>"] = words.pop("<start_of_text>")
    words["<|endoftext|>"] = words.pop("<end_of_text>")
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    assert recognised_folder(tmp_path).remarks == ()
    words["cat</w>"], words["dog</w>"] = words["dog</w>"], words["cat</w>"]
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    with pytest.raises(BackboneError, match="is not CLIP's"):
        recognised_folder(tmp_path)


@pytest.mark.parametrize("shard", ["../model.safetensors", "/etc/passwd", "..", "a/b.safetensors"])
def test_an_index_names_only_files_beside_it(shard: str, tmp_path: Path) -> None:
    write_clip(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    index = {"weight_map": {"logit_scale": shard}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackboneError, match="no file beside it"):
        recognised_folder(tmp_path)
