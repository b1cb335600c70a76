"""OpenAI's archives: read without their code, and embedding what OpenAI's own code embeds."""

from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch

from adapters.backbones import BackboneError
from adapters.backbones.checkpoints.convert import convert
from adapters.backbones.checkpoints.published import published
from adapters.backbones.checkpoints.recognise import recognised_file
from adapters.loading import load_backbone
from tests.adapters.backbones.checkpoints.comparing import (
    CLOSE,
    FAR,
    SAME,
    cosines,
    images_of,
    own_pixels,
    picture,
    served,
    with_other_activation,
)
from tests.adapters.backbones.checkpoints.openai_archives import (
    RESNET,
    TEXTS,
    VIT,
    loaded_by_clip,
    tokens,
    write_archive,
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("openai") / "ViT-B-16.pt")


@pytest.mark.parametrize("vision", [VIT, RESNET], ids=["ViT", "ResNet"])
def test_embeddings_are_those_of_openais_code(vision: dict[str, object], tmp_path: Path) -> None:
    path = write_archive(tmp_path / "archive.pt", vision)
    weights = recognised_file(path)
    backbone = served(weights.encoder("archive"))
    model, preprocess = loaded_by_clip(path)
    image = picture()
    with torch.no_grad():
        texts = model.encode_text(tokens(TEXTS))
        same_pixels = model.encode_image(own_pixels(backbone, image))
        by_clip = model.encode_image(preprocess(image).unsqueeze(0))
    assert cosines(backbone.encode_texts(TEXTS), texts).min() > SAME
    assert cosines(images_of(backbone, image), same_pixels).min() > SAME
    assert cosines(images_of(backbone, image), by_clip).min() > CLOSE
    assert backbone.logit_scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-3)
    wrong = with_other_activation(weights)  # which the comparison would notice
    assert cosines(wrong.encode_texts(TEXTS), texts).max() < FAR


def test_what_is_converted_is_served_alike(archive: Path, tmp_path: Path) -> None:
    weights = recognised_file(archive)
    convert(weights, tmp_path / "out")
    there = load_backbone(f"local-dir:{tmp_path / 'out'}")
    assert there.model_fingerprint == served(weights.encoder("archive")).model_fingerprint
    model = open_clip.create_model(f"local-dir:{tmp_path / 'out'}")  # by open_clip alone
    assert type(model.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    assert {each.dtype for each in weights.state.values()} == {torch.float16, torch.float32}


def test_its_activation_is_told_by_its_classes(archive: Path) -> None:
    weights = recognised_file(archive)
    assert weights.model_cfg["quick_gelu"] is True
    assert "not called OpenAI's" in weights.remarks[0]
    with pytest.raises(
        BackboneError, match=r"QuickGELU .the classes in its archive say so., and not"
    ):
        recognised_file(archive, quick_gelu=False)


def test_another_model_than_the_named_one_is_refused(archive: Path) -> None:
    with pytest.raises(BackboneError, match=r"no checkpoint of ViT-B-16: .*another patch size"):
        load_backbone(f"ViT-B-16/{archive}")


def test_what_it_tells_must_be_what_its_tensors_have(archive: Path, tmp_path: Path) -> None:
    scripted = torch.jit.load(str(archive))
    scripted.input_resolution.fill_(48)
    torch.jit.save(scripted, str(tmp_path / "other.pt"))
    with pytest.raises(BackboneError, match="another input_resolution than its tensors have, 32"):
        recognised_file(tmp_path / "other.pt")


def test_a_state_dict_of_an_archive_is_known_by_what_lies_beside_the_weights(
    archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "state.pt"
    torch.save(torch.jit.load(str(archive)).state_dict(), path)
    found = recognised_file(path)
    assert found.found == "a state dict, QuickGELU"
    assert found.model_cfg == recognised_file(archive).model_cfg
    names = {"input_resolution", "context_length", "vocab_size"}
    rest = {n: each for n, each in torch.load(path).items() if n not in names}
    torch.save(rest, path)
    with pytest.raises(BackboneError, match="does not tell what model it is of"):
        recognised_file(path)


def test_openais_digests_are_known(monkeypatch: pytest.MonkeyPatch, archive: Path) -> None:
    digest = "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"

    class Known:
        def hexdigest(self) -> str:
            return digest

    assert published(archive) is None
    monkeypatch.setattr("hashlib.file_digest", lambda *_: Known())
    found = published(archive)
    assert found is not None
    assert (found.model, found.tag, found.quick_gelu) == ("ViT-B-16", "openai", True)
    assert recognised_file(archive).found.startswith("ViT-B-16/openai, the published file")
