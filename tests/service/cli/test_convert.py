"""``handful convert``: what it writes, says and refuses."""

from __future__ import annotations

import re
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner, Result

from adapters.loading import load_backbone
from service.cli import app
from tests.adapters.backbones.checkpoints.openai_archives import write_archive
from tests.tiny_vit import write_tiny_vit


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(
        app, ["convert", *map(str, arguments)], env={"COLUMNS": "2000", "NO_COLOR": "1"}
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("openai") / "ViT-B-16.pt")


def test_an_archive_becomes_a_folder_once(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    done = convert(archive, out)
    assert done.exit_code == 0, done.output
    assert "a TorchScript archive in OpenAI's layout, QuickGELU" in done.output
    assert "not called OpenAI's" in done.output
    assert f"serve it: handful serve --backbone local-dir:{out}" in done.output
    names = sorted(path.name for path in out.iterdir())
    assert names == ["open_clip_config.json", "open_clip_model.safetensors"]
    with safe_open(out / names[1], "pt") as file:
        assert file.get_tensor("visual.conv1.weight").dtype == torch.float16
    assert load_backbone(f"local-dir:{out}").width == 48
    again = convert(archive, out)
    assert again.exit_code == 1
    assert "is there already, and nothing is overwritten" in again.output
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_pickle_in_a_folder_becomes_safetensors(tmp_path: Path) -> None:
    write_tiny_vit(tmp_path)
    model = open_clip.create_model(f"local-dir:{tmp_path}")
    (tmp_path / "open_clip_model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    done = convert(tmp_path, tmp_path / "out")
    assert done.exit_code == 0, done.output
    there, before = (load_backbone(f"local-dir:{each}") for each in (tmp_path / "out", tmp_path))
    assert there.fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{file}"], 2, "Missing argument"),
        (["{here}/none.pt", "{here}/out"], 2, "there is no file or folder"),
        (["{file}", "{here}/out", "--like", "openai"], 2, "give --model, too"),
        (["{here}", "{here}/out", "--model", "ViT-B-16"], 2, "a folder has a configuration"),
        (["{here}", "{here}/out"], 1, "there is no file .*open_clip_config.json"),
        (["{file}", "{here}/out", "--model", "ViT-B16"], 1, "did you mean ViT-B-16"),
        (["{file}", "{here}/out", "--model", "ViT-B-16", "--like", "x"], 1, "no weights 'x'"),
        (["{file}", "{here}/out", "--model", "ViT-B-32"], 1, "no checkpoint of ViT-B-32"),
        (["{file}", "{here}/out", "--activation", "gelu"], 1, "was trained with QuickGELU"),
        (["{file}", "/proc/out"], 1, "nothing was written"),
    ],
)
def test_what_cannot_be_converted_is_refused_and_leaves_nothing(
    arguments: list[str], status: int, message: str, archive: Path, tmp_path: Path
) -> None:
    given = [each.format(file=archive, here=tmp_path) for each in arguments]
    done = convert(*given)
    assert done.exit_code == status, done.output
    assert re.search(message, done.output), done.output
    assert not list(tmp_path.iterdir())
