"""State dicts as trainings save them, and what they do not tell of their training."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from adapters.backbones import BackboneError
from adapters.backbones.checkpoints.evidence import Evidence
from adapters.backbones.checkpoints.openai_layout import OPENAI_PIXELS
from adapters.backbones.checkpoints.recognise import recognised_file, recognised_folder
from adapters.backbones.checkpoints.state_dict import read_checkpoint
from adapters.backbones.checkpoints.trained_like import trained_like
from adapters.backbones.folder import folder_config
from adapters.loading import load_backbone
from tests.tiny_vit import CONFIG, write_tiny_vit

GELU, QUICK = Evidence(False, by="a test"), Evidence(True, by="a test")
FILE = Path("weights.pt")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(open_clip.CLIP(**CONFIG).state_dict())


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A small model among open_clip's, with a sibling of QuickGELU, as ViT-B-16 has one."""
    configs = open_clip.factory._MODEL_CONFIGS
    monkeypatch.setitem(configs, "tiny", CONFIG)
    monkeypatch.setitem(configs, "tiny-quickgelu", CONFIG | {"quick_gelu": True})
    return "tiny"


def quick(encoder: Any) -> bool:
    return type(encoder.model.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapped", ["alone", "state_dict", "module"])
def test_what_torch_saved_is_read_as_torch_reads_it(
    legacy: bool, wrapped: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    saved: Any = {name: each.half() for name, each in state.items()}
    if wrapped == "module":
        saved = {f"module.{name}": torch.nn.Parameter(each) for name, each in saved.items()}
    if wrapped != "alone":
        optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
        saved = {"epoch": 3, "name": "run", "state_dict": saved} | {
            "optimizer": optimiser.state_dict()
        }
    path = tmp_path / "weights.pt"
    torch.save(saved, path, _use_new_zipfile_serialization=not legacy)
    found = read_checkpoint(path).state
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name].half()) for name in state)


def test_safetensors_are_read_whatever_they_are_called(
    state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_file(state, tmp_path / "weights.bin")
    assert torch.equal(
        read_checkpoint(tmp_path / "weights.bin").state["visual.proj"], state["visual.proj"]
    )


def test_views_are_read_as_they_were_saved(tmp_path: Path) -> None:
    rows = torch.arange(12.0).reshape(3, 4)
    saved = {"columns": rows.T, "part": rows[1:, 2:], "none": rows[:0], "one": rows[2, 3]}
    for legacy in (False, True):
        torch.save(saved, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
        found = read_checkpoint(tmp_path / "a.pt").state
        assert all(torch.equal(found[name], each) for name, each in saved.items())


def test_where_nothing_tells_the_activation_it_is_asked_for(
    tiny: str, state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    assert not quick(recognised_file(path, tiny).encoder("x"))  # weights of one kind are known
    tags = {"openai": {"quick_gelu": True, **OPENAI_PIXELS}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, tiny, tags)
    with pytest.raises(BackboneError) as refused:
        load_backbone(f"{tiny}/{path}")
    for way in ("--model tiny --like openai", "--model tiny --activation gelu"):
        assert f"handful convert {path} OUT {way}" in str(refused.value)
    assert quick(recognised_file(path, tiny, like="openai").encoder("x"))
    assert not quick(recognised_file(path, tiny, quick_gelu=False).encoder("x"))
    assert quick(recognised_file(path, "tiny-quickgelu").encoder("x"))
    assert load_backbone(f"tiny-quickgelu/{path}").width == 32


def test_what_only_openai_saves_tells_the_activation(
    tiny: str, state: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    told = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77)}
    torch.save(state | told, path)
    encoder = recognised_file(path, tiny).encoder("x")
    assert quick(encoder)
    # What is fine-tuned of it and saved says so, too.
    config = folder_config(f"{tiny}/{path}", encoder.model, encoder.tokenizer, encoder.model_cfg)
    assert config["model_cfg"]["quick_gelu"] is True
    with pytest.raises(BackboneError, match="input_resolution that only OpenAI"):
        recognised_file(path, tiny, quick_gelu=False)


def test_the_configuration_beside_a_file_tells_the_activation(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {"openai": {"quick_gelu": True, **OPENAI_PIXELS}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, tiny, tags)
    write_tiny_vit(tmp_path)
    weights = recognised_file(tmp_path / "open_clip_model.safetensors", tiny)
    assert not quick(weights.encoder("x"))
    assert weights.preprocess_cfg["mean"] == [0.5] * 3


@pytest.mark.parametrize(
    ("model", "evidence", "activation", "mean", "mode"),
    [
        ("ViT-B-16", QUICK, "QuickGELU", 0.48145466, "shortest"),
        ("ViT-B-16", GELU, "GELU", 0.48145466, "shortest"),
        ("ViT-B-16-quickgelu", Evidence(), "QuickGELU", 0.48145466, "shortest"),
        ("ViT-L-14", QUICK, "QuickGELU", 0.48145466, "shortest"),
        ("ViT-B-16-SigLIP", Evidence(), "GELU", 0.5, "squash"),
        ("ViT-H-14-378-quickgelu", Evidence(), "QuickGELU", 0.48145466, "squash"),
        ("ViT-S-16", Evidence(), "GELU", 0.48145466, "shortest"),
        ("RN50", GELU, "GELU", 0.48145466, "shortest"),
    ],
)
def test_what_is_known_decides(
    model: str, evidence: Evidence, activation: str, mean: float, mode: str
) -> None:
    training = trained_like(FILE, model, evidence)
    assert training.activation == activation
    assert training.preprocess_cfg["mean"][0] == pytest.approx(mean)
    assert training.preprocess_cfg["resize_mode"] == mode


@pytest.mark.parametrize(
    ("model", "evidence", "ways"),
    [
        ("ViT-B-16", Evidence(), ["--like openai", "--like laion400m_e31"]),
        ("RN50", Evidence(), ["--like openai", "--activation gelu"]),
        ("ViT-L-14", GELU, ["--like laion400m_e31", "--like laion2b_s32b_b82k"]),  # other pixels
        ("ViT-H-14-quickgelu", Evidence(), ["--like metaclip_fullcc", "--like dfn5b"]),
        ("ViT-B-16-quickgelu", GELU, ["name ViT-B-16 instead"]),
    ],
)
def test_what_is_not_known_is_asked_for(model: str, evidence: Evidence, ways: list[str]) -> None:
    with pytest.raises(BackboneError) as refused:
        trained_like(FILE, model, evidence)
    assert all(way in str(refused.value) for way in ways)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("vision_cfg", {"image_size": 64}, "another input size"),
        ("vision_cfg", {"patch_size": 16}, "another patch size"),
        ("text_cfg", {"context_length": 64}, "another context length"),
        ("text_cfg", {"vocab_size": 49409}, "another vocabulary"),
        ("vision_cfg", {"layers": 3}, "missing: visual.transformer.resblocks.2"),
        ("vision_cfg", {"layers": 10**9}, "larger than any model"),
        ("text_cfg", {"layers": 10**5}, "no weights for them"),
        ("text_cfg", {"tokenizer_kwargs": {"trust_remote_code": True}}, "tokenizer_kwargs"),
        ("text_cfg", {"hf_model_name": "/tmp"}, "names a folder"),
        ("preprocess_cfg", {"size": 64}, "made 64 pixels large, and the image tower takes 32"),
        ("preprocess_cfg", {"mean": [0.5, 0.5]}, "three channels"),
        ("preprocess_cfg", {"std": [0, 0, 0]}, "three channels"),
        ("preprocess_cfg", {"resize_mode": "bend"}, "resize_mode is 'bend'"),
        ("preprocess_cfg", {"interpolation": "random"}, "interpolation is 'random'"),
    ],
)
def test_a_configuration_that_the_weights_do_not_have_is_refused(
    part: str, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_tiny_vit(tmp_path)
    path = tmp_path / "open_clip_config.json"
    told = json.loads(path.read_text())
    (told["model_cfg"] | told)[part].update(changes)
    path.write_text(json.dumps(told))
    with pytest.raises(BackboneError, match=message):
        load_backbone(f"local-dir:{tmp_path}")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    write_tiny_vit(tmp_path)
    state = recognised_folder(tmp_path).state
    state["visual.proj"][0, 0] = torch.nan  # type: ignore[index]
    save_file(dict(state), tmp_path / "open_clip_model.safetensors")
    with pytest.raises(BackboneError, match="not all finite"):
        load_backbone(f"local-dir:{tmp_path}")


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("readme.txt", "no weights")
    with pytest.raises(BackboneError, match="none that PyTorch has written"):
        read_checkpoint(tmp_path / "a.pt")
