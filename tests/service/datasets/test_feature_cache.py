"""Features on disk: reused where they fit, made anew where they do not."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from rich.console import Console

from adapters.backbones import Backbone
from adapters.backbones.support_views import averaged
from adapters.embeddings import ImageEmbeddings
from adapters.loading import load_backbone
from service.datasets.feature_cache import FeatureCache
from service.datasets.features import Features
from service.images.decoding import decode
from service.settings import Settings
from tests.service.pictures import picture


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "images").mkdir()
    paths = [tmp_path / "images" / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        path.write_bytes(picture(i))
    return paths


def compute(
    backbone: Backbone, files: list[Path], folder: Path
) -> tuple[Features, ImageEmbeddings, str]:
    """Features of the files, their rows, and what was said meanwhile."""
    said = io.StringIO()
    console = Console(file=said, width=400)
    features = Features(backbone, Settings(max_batch=2), console, FeatureCache(folder, backbone))
    features.compute(files)
    return features, features.of(files), said.getvalue()


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def same(one: ImageEmbeddings, other: ImageEmbeddings) -> bool:
    return torch.equal(one.frozen, other.frozen) and torch.equal(one.corrected, other.corrected)


def test_second_run_reuses_all_features(
    backbone: Backbone, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, rows, _ = compute(backbone, files, tmp_path / "cache")
    assert (first.embedded, first.reused) == (5, 0)
    assert len(entries(tmp_path / "cache")) == 5  # and no temporary ones

    def encode(_: torch.Tensor) -> ImageEmbeddings:
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(backbone, "encode_images", encode)
    second, again, said = compute(backbone, files, tmp_path / "cache")
    assert (second.embedded, second.reused) == (0, 5)
    assert same(again, rows)
    assert "warning" not in said


def test_features_are_cached_by_content_not_by_name(
    backbone: Backbone, files: list[Path], tmp_path: Path
) -> None:
    _, rows, _ = compute(backbone, files, tmp_path / "cache")
    moved = files[0].with_name("moved.png")
    shutil.copy(files[3], moved)
    files[1].write_bytes(picture(99))
    features, again, _ = compute(backbone, [*files, moved], tmp_path / "cache")
    assert (features.embedded, features.reused) == (1, 4)
    assert torch.equal(again.frozen[5], rows.frozen[3])
    assert not torch.allclose(again.frozen[1], rows.frozen[1])


def _truncate(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def _empty(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def _garble(path: Path, other: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def _take_another(path: Path, other: Path) -> None:
    shutil.copy(other, path)


def _not_finite(path: Path, other: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\x00\x00\xc0\x7f")  # a float32 nan


@pytest.mark.parametrize("spoil", [_truncate, _empty, _garble, _take_another, _not_finite])
def test_unreadable_cache_file_is_replaced_with_a_warning(
    backbone: Backbone,
    files: list[Path],
    tmp_path: Path,
    spoil: Callable[[Path, Path], None],
) -> None:
    _, rows, _ = compute(backbone, files, tmp_path / "cache")
    victim, other, *_ = entries(tmp_path / "cache")
    content = victim.read_bytes()
    spoil(victim, other)
    features, again, said = compute(backbone, files, tmp_path / "cache")
    assert (features.embedded, features.reused) == (1, 4)
    assert "warning: 1 cached features cannot be used" in said
    assert str(victim) in said
    assert torch.allclose(again.frozen, rows.frozen, atol=1e-5)
    assert len(victim.read_bytes()) == len(content)
    features, _, said = compute(backbone, files, tmp_path / "cache")
    assert (features.embedded, said) == (0, "")


def test_features_of_another_backbone_are_not_reused(
    backbone: Backbone, tiny_vit: Callable[[int], str], files: list[Path], tmp_path: Path
) -> None:
    _, rows, _ = compute(backbone, files, tmp_path / "cache")
    other = load_backbone(tiny_vit(1), "cpu")
    features, others, said = compute(other, files, tmp_path / "cache")
    assert (features.embedded, features.reused) == (5, 0)
    assert "warning" not in said
    assert not torch.allclose(others.frozen, rows.frozen, atol=0.1)
    features, again, _ = compute(backbone, files, tmp_path / "cache")
    assert features.reused == 5
    assert same(again, rows)


def test_features_are_computed_when_the_cache_cannot_be_written(
    backbone: Backbone, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    features, rows, said = compute(backbone, files, tmp_path / "file" / "cache")
    assert features.embedded == len(rows) == 5
    assert "warning: features are not kept" in said
    assert "--no-cache" in said
    assert said.count("not kept") == 1


def test_concurrent_writers_and_readers_see_whole_files(backbone: Backbone, tmp_path: Path) -> None:
    row = ImageEmbeddings(torch.randn(1, backbone.width), torch.randn(1, backbone.corrected_width))
    FeatureCache(tmp_path, backbone).store("ab" * 32, row)

    def work(_: int) -> bool:
        cache = FeatureCache(tmp_path, backbone)
        for _turn in range(50):
            cache.store("ab" * 32, row)
            if (found := cache.load("ab" * 32)) is None or not same(found, row):
                return False
        return not cache.unreadable and cache.unwritten is None

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
    assert len(entries(tmp_path)) == 1


def test_views_are_cached_apart_and_by_their_number(
    backbone: Backbone, files: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    _, plain, _ = compute(backbone, files, folder)
    found: dict[int, ImageEmbeddings] = {}
    for views in (3, 4, 3):
        cache = FeatureCache(folder, backbone, views)
        console = Console(file=io.StringIO())
        features = Features(backbone, Settings(max_batch=2), console, cache, views=views)
        features.compute(files)
        reused = len(files) if views in found else 0
        assert (features.embedded, features.reused) == (len(files) - reused, reused)
        rows = features.of(files)
        assert same(found.setdefault(views, rows), rows)
        assert rows.as_queries is not None
        assert torch.allclose(rows.as_queries, plain.corrected, atol=1e-5)
    assert not torch.allclose(found[3].frozen, found[4].frozen)
    assert not torch.allclose(found[3].frozen, plain.frozen)
    second, again, _ = compute(backbone, files, folder)
    assert (second.embedded, second.reused) == (0, 5)
    assert same(again, plain)
    assert len({path.parent.parent for path in entries(folder)}) == 3
    for i, path in enumerate(files):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        image = decode(path.read_bytes(), 10**6, side=backbone.image_size).pixels
        pixels = torch.stack(backbone.preprocess_views(image, 4, sha256))
        expected = averaged(backbone.encode_images(pixels))
        assert torch.allclose(found[4].frozen[i], expected.frozen[0], atol=1e-5)


def test_a_file_of_other_views_is_none(
    backbone: Backbone, files: list[Path], tmp_path: Path
) -> None:
    """Whatever folder it lies in."""
    cache = FeatureCache(tmp_path / "cache", backbone, 3)
    corrected = torch.ones(1, backbone.corrected_width)
    rows = ImageEmbeddings(torch.ones(1, backbone.width), corrected, 2 * corrected)
    cache.store("ab" * 32, rows)
    [path] = entries(tmp_path / "cache")
    other = FeatureCache(tmp_path / "cache", backbone, 4)
    copied = Path(str(path).replace("-3-views", "-4-views"))
    copied.parent.mkdir(parents=True)
    shutil.copy(path, copied)
    assert cache.load("ab" * 32) is not None
    assert other.load("ab" * 32) is None
    assert other.unreadable == [copied]
