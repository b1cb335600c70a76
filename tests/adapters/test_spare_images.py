"""Images that others cover, against a search by loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adapters.embeddings import LabelledEmbeddings
from adapters.spare_images import MOST, spare_images
from tests.adapters.synthetic import columns_of, generator, make_task, noise


def searched(images: LabelledEmbeddings, columns: Tensor, own: Tensor) -> list[int]:
    """The greedy search, image by image."""
    keys = images.embeddings.corrected
    kept = list(range(len(images)))
    lost = dict.fromkeys(columns.tolist(), 0)
    gone: list[int] = []
    for _ in range(int(MOST * len(images))):
        best, best_score = None, 0.0
        for row in kept:
            column = int(columns[row])
            total = int((columns == column).sum())
            if lost[column] >= min(total // 2, total - 4):
                continue
            others = [i for i in kept if i != row and columns[i] == column]
            score = max(float(keys[row] @ keys[i]) for i in others) * float(own[row])
            if score > best_score + 1e-7:
                best, best_score = row, score
        if best is None:
            break
        kept.remove(best)
        gone.append(best)
        lost[int(columns[best])] += 1
    return gone


@settings(max_examples=25, deadline=None)
@given(shots=st.lists(st.integers(0, 12), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_they_are_those_of_a_search_by_loops(shots: list[int], seed: int) -> None:
    columns = columns_of(shots)
    n = len(columns)
    images = LabelledEmbeddings(columns, noise(n, seed))
    own = torch.rand(n, generator=generator(seed + 1))
    found = spare_images(images, columns, own)
    assert found.rows.tolist() == searched(images, columns, own)
    assert len(found.rows) <= n // 4
    left = torch.ones(n, dtype=torch.bool)
    left[found.rows] = False
    for row, cover, cosine in zip(
        found.rows.tolist(), found.covered_by.tolist(), found.similarity.tolist(), strict=True
    ):
        assert columns[row] == columns[cover]
        assert left[cover]
        keys = images.embeddings.corrected
        others = keys[left & (columns == columns[row])]
        assert cosine == pytest.approx(float((others @ keys[row]).max()), abs=1e-5)
    for column, total in enumerate(shots):
        lost = total - int((columns[left] == column).sum())
        assert lost <= max(min(total // 2, total - 4), 0)


def test_image_that_is_named_wrongly_stays() -> None:
    task = make_task([8, 8])
    images = task.support.labelled
    columns = task.classes.columns(images.labels)
    assert len(spare_images(images, columns, torch.zeros(16)).rows) == 0


def test_the_more_alike_of_two_goes_first() -> None:
    task = make_task([6, 6], spread=1.5, seed=4)
    images = task.support.labelled
    twin = images.embeddings.corrected[3] + 0.01 * noise(1, 1).corrected[0]
    keys = torch.cat([images.embeddings.corrected, torch.nn.functional.normalize(twin[None])])
    rows = torch.tensor([*range(12), 3])
    again = LabelledEmbeddings(
        images.labels[rows], type(images.embeddings)(images.embeddings.frozen[rows], keys)
    )
    columns = task.classes.columns(again.labels)
    found = spare_images(again, columns, torch.full((13,), 0.9))
    assert int(found.rows[0]) in {3, 12}
    assert {int(found.rows[0]), int(found.covered_by[0])} == {3, 12}


@pytest.mark.parametrize("shots", [[4, 4], [1, 1, 1], [4]])
def test_small_classes_lose_nothing(shots: list[int]) -> None:
    task = make_task(shots)
    columns = task.classes.columns(task.support.labels)
    assert len(spare_images(task.support.labelled, columns, torch.ones(sum(shots))).rows) == 0


def test_work_can_be_ended_by_rest() -> None:
    class Ended(Exception):
        pass

    def end() -> None:
        raise Ended

    task = make_task([8, 8])
    columns = task.classes.columns(task.support.labels)
    with pytest.raises(Ended):
        spare_images(task.support.labelled, columns, torch.ones(16), rest=end)
