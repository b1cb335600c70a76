"""What the benchmarks have in common."""

from __future__ import annotations

import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from benchmarks.floor import rate
from benchmarks.photographs import encoded, mosaic, queries, support
from benchmarks.rounds import ratios


def test_a_rate_counts_the_calls_of_all_threads() -> None:
    turns: list[int] = []
    together = threading.Barrier(3)

    def work(turn: int) -> None:
        together.wait(timeout=10)
        turns.append(turn)

    assert rate(work, 3, 0.0, worth=4) > 0
    assert sorted(turns) == [0, 1, 2]  # each thread calls once though there is no time


def test_ratios_are_of_each_round() -> None:
    found = ratios([1.0, 40.0, 6.0], [2.0, 10.0, 3.0])
    assert found == {"ratio": 2.0, "lowest": 0.5, "highest": 4.0}


def test_images_are_different_and_always_the_same() -> None:
    files = queries(20)
    assert len(set(files)) == 20
    assert files == queries(20)
    assert not set(files) & set(support().values())
    assert all(Image.open(BytesIO(file)).size == (224, 224) for file in files)


@pytest.mark.parametrize(("form", "width"), [("JPEG", 500), ("PNG", 300)])
def test_a_mosaic_has_detail_everywhere(form: str, width: int) -> None:
    content = encoded(mosaic(np.random.default_rng(0), width, 310), form)
    image = Image.open(BytesIO(content))
    assert (image.format, image.size) == (form, (width, 310))
    corner = np.asarray(image.convert("L"), dtype=float)[-60:, -60:]
    assert corner.std() > 1
