"""Accuracy on classes that prompts were trained on, and on others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from service.datasets.dataset import DatasetError
from service.evaluation.base_to_novel import Generalisation, read_halves, zero_shot_accuracy
from tests.service.colours import COLOURS, coloured, write_colours


class Known:
    """A backbone that tells which images are of which colour, except for one class."""

    def __init__(self, mistaken: str) -> None:
        self.mistaken = mistaken

    def encode_classes(self, labels: Any) -> torch.Tensor:
        rows = torch.eye(4)[[sorted(COLOURS).index(label) for label in labels]]
        return rows if self.mistaken not in labels else rows.flip(0)


def test_zero_shot_accuracy_is_among_the_classes_of_a_half(tmp_path: Path) -> None:
    base, novel = read_halves(write_colours(tmp_path))
    assert base.labels == ("GreenField", "blue_sea")
    assert novel.labels == ("red-wall", "white snow")
    features: Any = type("Embedded", (), {})()

    def of(paths: list[Path]) -> Any:
        rows = torch.eye(4)[[sorted(COLOURS).index(path.parent.name) for path in paths]]
        # One of the wall looks most like the sea, which is of the other half, and then like snow.
        rows[[path.parent.name == "red-wall" and path.stem == "4" for path in paths]] = (
            torch.tensor([0.0, 0.9, 0.1, 0.2])
        )
        return type("Rows", (), {"frozen": rows})()

    features.of = of
    right: Any = Known("none")
    assert zero_shot_accuracy(right, base, features) == 1
    assert zero_shot_accuracy(right, novel, features) == pytest.approx(5 / 6)
    swapped: Any = Known("GreenField")
    assert zero_shot_accuracy(swapped, base, features) == 0
    assert zero_shot_accuracy(swapped, novel, features) == pytest.approx(5 / 6)


def test_harmonic_mean_is_nearer_to_the_smaller_accuracy() -> None:
    assert Generalisation(0.8, 0.8).harmonic_mean == pytest.approx(0.8)
    assert Generalisation(0.9, 0.3).harmonic_mean == pytest.approx(0.45)
    assert Generalisation(0.9, 0.0).harmonic_mean == 0
    assert Generalisation(0.0, 0.0).harmonic_mean == 0


def _three_classes(folder: Path) -> None:
    for split in ("train", "test"):
        for label in ("a", "b", "c"):
            (folder / split / label).mkdir(parents=True)
            coloured("red", 0).save(folder / split / label / "0.png")


def _no_queries(folder: Path) -> None:
    _three_classes(folder)
    (folder / "train" / "d").mkdir()
    coloured("red", 0).save(folder / "train" / "d" / "0.png")
    (folder / "test" / "c" / "0.png").unlink()


@pytest.mark.parametrize(
    ("lay_out", "named"),
    [
        (_three_classes, "has 3 classes, and two halves to tell apart need 4"),
        (_no_queries, "has no images of c, d; add some"),
        (lambda folder: (folder / "a").mkdir(), "there is no folder"),
    ],
)
def test_halves_without_enough_classes_are_refused(
    tmp_path: Path, lay_out: Callable[[Path], None], named: str
) -> None:
    lay_out(tmp_path)
    with pytest.raises(DatasetError, match=named):
        read_halves(tmp_path)
