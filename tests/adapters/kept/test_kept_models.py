"""What is kept of a model embeds as PyTorch does, and is never mistaken for another one."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.backbones import Backbone, BackboneError
from adapters.backbones.lite import LITE
from adapters.corrections.bottleneck import attach, save_adapter, tower_fingerprint
from adapters.kept import load_compiled
from adapters.loading import load_backbone, load_dual_encoder
from adapters.recipe import Recipe
from tests.test_import_budget import HEAVY
from tests.tiny_vit import write_tiny_vit

NAMES = ("dog", "", "sea lake", "Ägypten ½ 日本 😀", "word " * 100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vit").mkdir()
    return write_tiny_vit(tmp_path / "vit")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a backbone whose folder no test changes."""
    return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'))}"


@pytest.fixture(scope="module")
def eager(name: str) -> Backbone:
    """That one by PyTorch."""
    return load_backbone(name, "cpu")


@pytest.fixture(scope="module")
def kept_once(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which that one is kept."""
    cache = tmp_path_factory.mktemp("kept")
    load_compiled(name, cache=cache)
    return cache


@pytest.fixture
def filled(kept_once: Path, cache: Path) -> Path:
    """A copy of that cache, to be damaged."""
    shutil.copytree(kept_once, cache)
    return cache


def pictures(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(n)
    return torch.randint(0, 256, (n, 32, 32, 3), generator=generator).to(torch.uint8)


def same(found: Backbone, wanted: Backbone) -> None:
    """They embed alike, and are the same to whoever asks."""
    for field in ("name", "fingerprint", "templates", "image_size", "width", "corrected_width"):
        assert getattr(found, field) == getattr(wanted, field)
    assert found.logit_scale == pytest.approx(wanted.logit_scale)
    assert found.correction.name == wanted.correction.name
    assert found.correction.joint == wanted.correction.joint
    for n in (1, 3):
        rows, expected = found.encode_images(pictures(n)), wanted.encode_images(pictures(n))
        torch.testing.assert_close(rows.frozen, expected.frozen, atol=1e-5, rtol=0)
        torch.testing.assert_close(rows.corrected, expected.corrected, atol=1e-5, rtol=0)
    texts, expected_texts = found.encode_texts(NAMES), wanted.encode_texts(NAMES)
    assert float((texts * expected_texts).sum(dim=1).min()) > 0.99999
    torch.testing.assert_close(texts, expected_texts, atol=1e-5, rtol=0)


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.is_dir())


def write_adapter(path: Path, name: str, seed: int) -> str:
    encoder = load_dual_encoder(name)
    tower = tower_fingerprint(encoder.visual)
    torch.manual_seed(seed)
    adapter = attach(encoder.visual)
    for layer in adapter.layers:
        torch.nn.init.normal_(layer.get_submodule("up").weight)  # type: ignore[arg-type]
    save_adapter(path, adapter, backbone=name, fingerprint=tower, made={})
    return str(path)


def test_what_is_kept_embeds_as_pytorch_does(name: str, eager: Backbone, cache: Path) -> None:
    first, again = load_compiled(name, cache=cache), load_compiled(name, cache=cache)
    assert (first.engine, again.engine) == ("openvino", "openvino")
    same(first, eager)
    same(again, eager)
    assert len(kept(cache)) == 1


def test_a_backbone_is_kept_with_isoclip(name: str, eager: Backbone, cache: Path) -> None:
    corrected = load_backbone(name, "cpu", adapter="isoclip")
    for _ in ("made", "found again"):
        found = load_compiled(name, adapter="isoclip", cache=cache)
        assert found.engine == "openvino"
        same(found, corrected)
    assert len(kept(cache)) == 1
    assert load_compiled(name, adapter="none", cache=cache).fingerprint == eager.fingerprint
    assert len(kept(cache)) == 2


def test_lite_is_kept_with_its_adapter(tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.mktemp("lite")
    load_compiled(LITE, cache=cache)
    again, eager = load_compiled(LITE, cache=cache), load_backbone(LITE, "cpu")
    assert again.fingerprint == eager.fingerprint
    assert again.correction.name.startswith("bottleneck ")
    texts, expected = again.encode_texts(NAMES), eager.encode_texts(NAMES)
    assert float((texts * expected).sum(dim=1).min()) > 0.99999
    pixels = torch.randint(0, 256, (2, 224, 224, 3), generator=torch.Generator().manual_seed(0))
    rows, wanted = (one.encode_images(pixels.to(torch.uint8)) for one in (again, eager))
    torch.testing.assert_close(rows.frozen, wanted.frozen, atol=1e-4, rtol=0)
    torch.testing.assert_close(rows.corrected, wanted.corrected, atol=1e-4, rtol=0)


def test_a_later_start_imports_nothing_that_builds_models(name: str, kept_once: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from adapters.kept import load_compiled\n"
        f"backbone = load_compiled({name!r}, cache=Path({str(kept_once)!r}))\n"
        "backbone.encode_texts(['dog'])\n"
        "print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & set(HEAVY)
    assert "adapters.loading" not in done.stdout.split()


@pytest.mark.long
def test_other_weights_in_the_same_place_are_another_model(folder: Path, cache: Path) -> None:
    name = f"local-dir:{folder}"
    before = load_compiled(name, cache=cache)
    write_tiny_vit(folder, seed=1)
    after = load_compiled(name, cache=cache)
    assert after.fingerprint != before.fingerprint
    same(after, load_backbone(name, "cpu"))


@pytest.mark.long
def test_another_adapter_in_the_same_place_is_another_correction(
    name: str, cache: Path, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "adapter.safetensors", name, 0)
    before = load_compiled(name, adapter=adapter, cache=cache)
    same(
        load_compiled(name, adapter=adapter, cache=cache),
        load_backbone(name, "cpu", adapter=adapter),
    )
    write_adapter(tmp_path / "adapter.safetensors", name, 1)
    after = load_compiled(name, adapter=adapter, cache=cache)
    assert after.fingerprint != before.fingerprint
    same(after, load_backbone(name, "cpu", adapter=adapter))
    plain = load_compiled(name, cache=cache)
    assert plain.correction.name == "uncorrected"


def test_one_kept_model_serves_every_recipe(name: str, filled: Path) -> None:
    plain = load_compiled(name, cache=filled)
    asked = []

    def choose(model: str) -> Recipe:
        asked.append(model)
        return Recipe("bfloat16")

    rounded = load_compiled(name, recipe=choose, cache=filled)
    assert asked == [plain.fingerprint]
    assert rounded.recipe == Recipe("bfloat16")
    assert rounded.fingerprint == Recipe("bfloat16").fingerprint(plain.fingerprint)
    assert len(kept(filled)) == 1
    texts, exact = rounded.encode_texts(NAMES), plain.encode_texts(NAMES)
    assert float((texts * exact).sum(dim=1).min()) > 0.999
    resized = load_compiled(name, recipe=Recipe("float32", "antialias"), cache=filled)
    torch.testing.assert_close(resized.encode_texts(NAMES), exact)


@pytest.mark.parametrize(
    ("damage", "file"),
    [
        ("cut short", "model.json"),
        ("cut short", "image.bin"),
        ("missing", "image.xml"),
        ("a bit", "model.json"),
        ("a bit", "image.bin"),
        ("a bit", "expected.safetensors"),
        ("missing", "image.crc"),
        ("missing", "expected.safetensors"),
    ],
)
def test_a_damaged_kept_model_is_made_anew(
    file: str,
    damage: str,
    name: str,
    eager: Backbone,
    filled: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (path,) = kept(filled)
    if damage == "missing":
        (path / file).unlink()
    elif damage == "a bit":
        content = bytearray((path / file).read_bytes())
        content[-9] ^= 1  # of a small weight, perhaps: nothing that a probe would tell
        (path / file).write_bytes(content)
    else:
        (path / file).write_bytes((path / file).read_bytes()[: (path / file).stat().st_size // 2])
    again = load_compiled(name, cache=filled)
    same(again, eager)
    assert "is made anew" in caplog.text
    caplog.clear()
    load_compiled(name, cache=filled)
    assert not caplog.records


def test_towers_of_another_model_are_made_anew(
    name: str,
    eager: Backbone,
    filled: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "other").mkdir()
    write_tiny_vit(tmp_path / "other", seed=1)
    other = f"local-dir:{tmp_path / 'other'}"
    (own,) = kept(filled)
    load_compiled(other, cache=filled)
    (theirs,) = set(kept(filled)) - {own}
    for file in ("image.xml", "image.bin", "image.crc"):
        shutil.copy(theirs / file, own / file)
    same(load_compiled(name, cache=filled), eager)
    assert "differ from PyTorch's" in caplog.text


def test_texts_of_one_length_to_the_tower_are_told(name: str, kept_once: Path) -> None:
    backbone = load_compiled(name, cache=kept_once)
    short, same, long = backbone.text_lengths(["a dog", "a cat", "a dog beside a rusty bicycle"])
    assert short == same < long
    assert backbone.text_lengths([]) == []


def test_texts_have_the_threads_of_the_image_tower(name: str, kept_once: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        backbone = load_compiled(name, cache=kept_once)
        torch.set_num_threads(1)  # as a service does before the first text comes
        backbone.encode_texts(NAMES)
    finally:
        torch.set_num_threads(threads)
    tower: Any = backbone
    tower = tower._texts._embed._tower._compiled
    assert tower.get_property("INFERENCE_NUM_THREADS") == 2


@pytest.mark.parametrize("file", ["text.xml", "text.bin"])
def test_a_damaged_text_tower_is_computed_by_pytorch(
    name: str, eager: Backbone, filled: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = kept(filled)
    content = bytearray((path / file).read_bytes())
    content[len(content) // 2] ^= 1
    (path / file).write_bytes(content)
    same(load_compiled(name, cache=filled), eager)
    assert "the compiled text tower" in caplog.text


def test_a_folder_that_cannot_be_written_keeps_nothing_and_serves(
    name: str, eager: Backbone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    backbone = load_compiled(name, cache=tmp_path / "file" / "compiled")
    assert backbone.engine == "openvino"
    assert "not kept for the next start" in caplog.text
    same(backbone, eager)


def test_preprocessing_that_is_not_known_is_not_kept(
    folder: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = "longest"
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    name = f"local-dir:{folder}"
    with caplog.at_level(logging.INFO, "handful.runtime"):
        backbone = load_compiled(name, cache=cache)
    assert "its preprocessing is another one" in caplog.text
    same(backbone, load_backbone(name, "cpu"))


def test_what_is_missing_is_told_as_ever(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="there is no file"):
        load_compiled(f"local-dir:{tmp_path / 'nowhere'}", cache=cache)
    with pytest.raises(BackboneError, match="there is no adapter"):
        load_compiled(LITE, adapter=str(tmp_path / "no.safetensors"), cache=cache)


@pytest.mark.long
def test_two_processes_may_keep_a_model_at_once(folder: Path, cache: Path) -> None:
    name = f"local-dir:{folder}"
    program = (
        "from pathlib import Path; from adapters.kept import load_compiled\n"
        "import adapters.kept.keeping, adapters.loading, adapters.engines.selection\n"
        "print('imported', flush=True); input()\n"
        f"print(load_compiled({name!r}, cache=Path({str(cache)!r})).fingerprint)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "imported\n"
        assert other.stdin is not None
        other.stdin.write("go\n")
        other.stdin.flush()
        own = load_compiled(name, cache=cache).fingerprint
        theirs = other.communicate()[0].strip()
    assert theirs == own == load_backbone(name, "cpu").fingerprint
    assert len(kept(cache)) == 1  # and nothing half written beside it


def test_pictures_are_resized_as_the_recipe_says(name: str, kept_once: Path) -> None:
    recipe = Recipe(resizing="antialias")
    found, wanted = (
        load_compiled(name, recipe=recipe, cache=kept_once),
        load_backbone(name, "cpu", recipe=recipe),
    )
    noise = torch.randint(0, 256, (90, 70, 3), generator=torch.Generator().manual_seed(0))
    picture = Image.fromarray(noise.to(torch.uint8).numpy())
    assert found.fingerprint == wanted.fingerprint
    assert torch.equal(found.preprocess(picture), wanted.preprocess(picture))
    assert not torch.equal(found.preprocess(picture), found.framing(picture))
