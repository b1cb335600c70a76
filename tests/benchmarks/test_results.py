"""The page of results: its measured parts, and the tasks and features behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from benchmarks import results_page
from benchmarks.generic_tasks import as_it_is, tiny
from benchmarks.kept_features import kept_features
from benchmarks.results import run
from benchmarks.results_page import PARTS, filled
from benchmarks.super_classes import SUPER_CLASSES, draw, super_pool
from service.datasets.feature_cache import FeatureCache
from service.evaluation.few_shot_protocol import Result
from service.evaluation.metrics import Metrics

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def result(method: str, shots: int, seed: int, accuracy: float) -> Result:
    metrics = Metrics(accuracy, 0.1, 1.5, 0.875, 1.25, 0.9, 0.05, 0.4)
    confidence = torch.full((200,), 0.75)
    right = torch.arange(200) < round(200 * accuracy)
    return Result(method, shots, seed, 5, 100, metrics, Tuning(), confidence, right)


def results(accuracies: Mapping[str, Mapping[int, float]]) -> list[Result]:
    """Of two draws, 10 points above and below these accuracies."""
    return [
        result(method, shots, seed, accuracy + (0.1 if seed else -0.1))
        for method, by_shots in accuracies.items()
        for shots, accuracy in by_shots.items()
        for seed in (0, 1)
    ]


@pytest.fixture
def sets() -> dict[str, list[Result]]:
    return {
        "one": results({
            "auto": {1: 0.5, 4: 0.6}, "zero-shot": {1: 0.52, 4: 0.52}, "gda": {1: 0.4, 4: 0.605},
        }),
        "two": results({
            "auto": {1: 0.3, 4: 0.25}, "zero-shot": {1: 0.2, 4: 0.2}, "gda": {1: 0.25, 4: 0.2},
        }),
    }  # fmt: skip


def test_only_what_was_measured_is_written_anew() -> None:
    page = (
        "# A\n<!-- measured: x -->\nold\n<!-- end -->\nwords\n"
        "<!-- measured: y-z -->\n<!-- end -->\n"
    )
    once = filled(page, {"x": "| 1 |\n", "y-z": "    two \\1 lines\nof it"})
    assert once == (
        "# A\n<!-- measured: x -->\n\n| 1 |\n\n<!-- end -->\nwords\n"
        "<!-- measured: y-z -->\n\n    two \\1 lines\nof it\n\n<!-- end -->\n"
    )
    assert filled(once, {"x": "| 1 |", "y-z": "    two \\1 lines\nof it\n"}) == once


@pytest.mark.parametrize("parts", [["x"], ["x", "y", "z"], ["x", "x"]])
def test_a_page_with_other_parts_is_refused(parts: list[str]) -> None:
    page = "".join(f"<!-- measured: {name} -->\n<!-- end -->\n" for name in parts)
    with pytest.raises(ValueError, match="the page has the parts"):
        filled(page, {"x": "", "y": ""})


def test_the_page_of_the_project_has_all_parts() -> None:
    assert filled(PAGE.read_text(), dict.fromkeys(PARTS, "")).startswith("# Results")


def test_accuracy_of_all_heads_and_of_the_best_with_hindsight(
    sets: dict[str, list[Result]],
) -> None:
    text = results_page.accuracy(sets)
    assert "| mean of the 2 sets | 1 | 4 |" in text
    assert "| auto | 40.0 | 42.5 |" in text
    assert "| zero-shot | 36.0 | 36.0 |" in text
    # The mean of 2 and −5, and of 0.5 and −5.
    assert "| best with hindsight less auto | −1.5 | −2.2 |" in text
    assert "| best with hindsight less auto | +2.0 | +0.5 |" in text
    assert "in 3 of 4 cells; the others: one at 1 shot (2.0)." in text


def test_names_and_more_shots_tell_their_lowest_cell(sets: dict[str, list[Result]]) -> None:
    names = results_page.names(sets)
    assert "| one | −2.0 | +8.0 |" in names
    assert "The lowest cell is −2.0 (one at 1 shot)." in names
    more = results_page.more_shots(sets)
    assert "| auto | 1 → 4 |" in more
    assert "| two | −5.0 |" in more
    assert "The lowest step is −5.0 (two, 1 → 4)." in more


def test_calibration_is_told_both_ways_beside_what_chance_makes(
    sets: dict[str, list[Result]],
) -> None:
    text = results_page.calibration(sets)
    # 0.5 right on the mean of both draws, where 0.75 is said.
    assert "| one | 10.0 / 25.0 | 10.0 / 15.0 |" in text
    assert "| mean | 10.0 / 35.0 |" in text
    (chance,) = (line for line in text.splitlines() if line.startswith("| perfectly calibrated"))
    alone, together = map(float, chance.split("|")[2].split("/"))
    # E|X − p| of 200 queries in one bin, and of 400.
    assert alone == pytest.approx(100 * (2 * 0.1875 / torch.pi / 200) ** 0.5, abs=0.6)
    assert together == pytest.approx(alone / 2**0.5, abs=0.6)


def test_other_parts_have_means_of_the_draws(sets: dict[str, list[Result]]) -> None:
    assert "| mean | 1.50 | 1.50 |" in results_page.cross_entropy(sets)
    assert "| one | 87.5 / 1.25 |" in results_page.coverage(sets)
    assert "| mean | 90.0 / 5.0 / 40.0 | 90.0 / 5.0 / 40.0 |" in results_page.unknown(sets)
    chosen = {"one": results({"auto": {1: 0.45}}), "two": results({"auto": {1: 0.5}})}
    suggested = results_page.suggested(sets, chosen)
    assert "| two | 30.0 / 50.0 |" in suggested
    assert "At 1 a class: +7.5 points on the mean; the lowest gain is −5.0 (one at 1 shot)." in (
        suggested
    )
    elsewhere = results_page.elsewhere(sets["one"], ("gda", "auto"))
    assert "| gda: accuracy | 40.0 | 60.5 |" in elsewhere
    assert "| auto: coverage | 87.5 | 87.5 |" in elsewhere


def test_the_command_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    text = run("lite", [tmp_path / "one", tmp_path / "two"], 5)
    assert "SETS/one SETS/two --generic GENERIC --seeds 5" in text
    assert str(tmp_path) not in text


def test_super_classes_are_apart_and_their_draws_nested() -> None:
    indices = [index for some in SUPER_CLASSES.values() for index in some]
    assert len(indices) == len(set(indices))
    assert 0 <= min(indices) < max(indices) < 1000
    # What a row is, is written in it.
    rows = torch.arange(1000.0).unsqueeze(1)
    pool = super_pool(ImageEmbeddings(rows, rows), torch.arange(20.0).unsqueeze(1))
    names = list(SUPER_CLASSES)
    before: set[float] = set()
    for shots in (1, 2, 4, 8, 16):
        task = draw(pool, 10, shots, "seed")
        shown = task.support.embeddings.frozen.flatten().tolist()
        asked = task.queries.frozen.flatten().tolist()
        assert before < set(shown)
        before = set(shown)
        assert not before & set(asked)
        assert asked == draw(pool, 10, 1, "seed").queries.frozen.flatten().tolist()
        for row, column in zip([*shown, *asked], [*task.support.labels, *task.truth], strict=True):
            assert int(row) in SUPER_CLASSES[names[int(task.texts[column])]]
        assert set(task.truth.tolist()) == set(range(10))
        assert torch.bincount(task.support.labels).max() == shots or shots == 16


def test_features_in_a_style_are_embedded_once(tmp_path: Path) -> None:
    calls = []
    console = Console(quiet=True)

    def encode(pixels: torch.Tensor) -> ImageEmbeddings:
        calls.append(len(pixels))
        return ImageEmbeddings(pixels, pixels[:, :1])

    def preprocess(image: Image.Image) -> torch.Tensor:
        return torch.tensor([float(np.asarray(image).std()), float(image.width)])

    backbone: Any = SimpleNamespace(
        fingerprint="made", width=2, corrected_width=1, encode_images=encode, preprocess=preprocess
    )
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for i, file in enumerate(files):
        Image.effect_noise((60 + i, 60), 50).save(file)
    cache = FeatureCache(tmp_path / "cache", backbone)
    plain = kept_features(backbone, files, as_it_is, cache, console)
    small = kept_features(backbone, files, tiny, cache, console)
    assert calls == [3, 3]
    assert plain.frozen[:, 1].tolist() == [60, 61, 62]
    assert (plain.frozen[:, 0] > small.frozen[:, 0] + 1).all()
    Image.new("L", (70, 70)).save(files[1])
    again = kept_features(backbone, files, tiny, cache, console)
    assert calls == [3, 3, 1]
    assert torch.equal(again.frozen[::2], small.frozen[::2])
    assert again.frozen[1, 1] == 70
