"""Tuning in parts: it rests between them, can be abandoned, and lets other threads run."""

from __future__ import annotations

import threading
import time

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch.nn.functional import normalize

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.heads import HEADS
from adapters.rest import parts
from tests.adapters.synthetic import generator, make_task


def many_images(
    n: int, n_classes: int, widths: tuple[int, int] = (512, 1280)
) -> LabelledEmbeddings:
    """Images in embeddings as wide as those of the default backbone."""
    rng = generator(0)
    columns = torch.arange(n) % n_classes

    def view(width: int) -> torch.Tensor:
        centres = torch.randn(n_classes, width, generator=rng)
        rows = 0.5 * centres[columns] + torch.randn(n, width, generator=rng)
        return normalize(rows.relu(), dim=1)

    return LabelledEmbeddings(columns, ImageEmbeddings(view(512), view(1280)))


@given(n=st.integers(0, 10_000), cost=st.floats(1, 1e9))
def test_parts_are_all_rows_once_with_a_rest_after_each(n: int, cost: float) -> None:
    rests = 0

    def rest() -> None:
        nonlocal rests
        rests += 1

    before = 0
    for turn, some in enumerate(parts(n, cost, rest)):
        assert (some.start, rests) == (before, turn)
        length = some.stop - some.start
        assert length == 1 or length * cost <= 3e8
        before = some.stop
    assert before == n
    assert rests == -(-n // max(int(3e8 / cost), 1))


@pytest.mark.parametrize("method", sorted(HEADS))
def test_a_tuning_is_the_same_whether_it_rests_or_not(method: str) -> None:
    task = make_task([4, 3, 5, 2])
    rests: list[None] = []
    classifier = FewShotClassifier(method, coverage=0.8)
    images = task.support.labelled
    rested = classifier.tune(task.classes, images, rest=lambda: rests.append(None))
    assert rested == classifier.tune(task.classes, images)
    assert rests


class AbandonedError(Exception):
    pass


def test_a_tuning_can_be_abandoned_at_any_rest() -> None:
    task = make_task([4, 3, 5])
    classifier = FewShotClassifier("auto").fit(task.classes, task.support)
    before = classifier.tuning
    rests = 0

    def rest() -> None:
        nonlocal rests
        rests += 1

    classifier.tune(task.classes, task.support.labelled, rest=rest)
    for last in range(1, rests + 1):
        left = last

        def abandon() -> None:
            nonlocal left
            left -= 1
            if not left:
                raise AbandonedError

        with pytest.raises(AbandonedError):
            classifier.tune(task.classes, task.support.labelled, rest=abandon)
    assert classifier.tuning == before
    assert classifier.tune(task.classes, task.support.labelled) == before


@pytest.mark.alone
@pytest.mark.parametrize("n_classes", [10, 100])
def test_a_tuning_rests_every_few_milliseconds(n_classes: int) -> None:
    images, classes = many_images(3000, n_classes), ClassSet(torch.arange(n_classes), None)
    used: list[float] = []
    last = time.thread_time()

    def rest() -> None:
        nonlocal last
        now = time.thread_time()
        used.append(now - last)
        last = time.thread_time()

    FewShotClassifier("auto", coverage=0.9).tune(classes, images, rest=rest)
    used.append(time.thread_time() - last)
    # 30 ms of most cores; of a slow one, no more of all that a tuning takes.
    assert max(used) < max(0.1, sum(used) / 8), (sum(used), sorted(used)[-5:])
    assert len(used) > sum(used) / 0.03


@pytest.mark.alone
def test_a_tuning_leaves_the_interpreter_to_other_threads() -> None:
    images, classes = many_images(3000, 10), ClassSet(torch.arange(10), None)
    longest = []
    for _ in range(3):  # the system may take the processor from any of them
        ended = threading.Event()
        gaps: list[float] = []

        def tick(ended: threading.Event = ended, gaps: list[float] = gaps) -> None:
            last = time.perf_counter()
            while not ended.is_set():
                time.sleep(0.0005)
                now = time.perf_counter()
                gaps.append(now - last)
                last = now

        ticking = threading.Thread(target=tick)
        ticking.start()
        FewShotClassifier("auto").tune(classes, images)
        ended.set()
        ticking.join()
        longest.append(max(gaps))
    # SciPy's own functions would hold the lock for 67 ms at a time.
    assert min(longest) < 0.03, longest
