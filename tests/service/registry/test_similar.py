"""Pages of neighbours: together they are all images in one order, whatever comes and goes."""

from __future__ import annotations

from datetime import UTC, datetime

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from service.registry.similar import Cursor, Page, page_of_similar
from service.registry.snapshot import Snapshot
from service.storage.records import ClassRecord, SupportRecord

NOW = datetime.now(UTC)
WIDTH = 4


def record(i: int, class_id: int) -> SupportRecord:
    return SupportRecord(
        id=i,
        public_id=f"{(i * 7919) % 10_007:032x}",  # in another order than ids
        class_id=class_id,
        filename=f"{i}.png",
        sha256="",
        media_type="image/png",
        width=1,
        height=1,
        created_at=NOW,
    )


def snapshot(directions: list[int], negatives: list[int] = []) -> Snapshot:  # noqa: B006
    """Images by the places of their directions, many of which are the same."""
    rows = normalize(torch.randn(8, WIDTH, generator=torch.Generator().manual_seed(0)), dim=1)
    n = len(directions)

    def support(ids: Tensor, places: list[int], class_id: int) -> SupportSet:
        at = torch.tensor(places, dtype=torch.int64)
        return SupportSet(
            ids, torch.full_like(ids, class_id), ImageEmbeddings(rows[at].flip(1), rows[at])
        )

    ids, others = torch.arange(n), n + torch.arange(len(negatives))
    return Snapshot(
        name="a",
        method="auto",
        logit_scale=1.0,
        records={"ant": ClassRecord(id=1, label="ant", created_at=NOW)},
        negatives=support(others, negatives, 2) if negatives else None,
        negative_images={int(i): record(int(i), 2) for i in others},
        images={int(i): record(int(i), 1) for i in ids},
        classes=ClassSet(torch.tensor([1]), None),
        support=support(ids, directions, 1),
        tuning=Tuning(),
        joint=False,
    )


def expected(state: Snapshot, query: Tensor) -> list[str]:
    found = []
    for images in (state.support, state.negatives):
        if images is not None:
            cosines = (images.embeddings.corrected.double() @ query[0].double()).tolist()
            for i, cosine in zip(images.ids.tolist(), cosines, strict=True):
                one = state.images.get(i) or state.negative_images[i]
                found.append((-round(cosine * 1e6), one.public_id))
    return [public_id for _, public_id in sorted(found)]


QUERIES = st.integers(0, 5).map(
    lambda seed: normalize(torch.randn(1, WIDTH, generator=torch.Generator().manual_seed(seed)))
)
DIRECTIONS = st.lists(st.integers(0, 7), max_size=30)


def pages(state: Snapshot, query: Tensor, limit: int) -> list[Page]:
    found: list[Page] = []
    cursor = None
    while not found or cursor is not None:
        found.append(page_of_similar(state, query, "corrected", limit, cursor))
        cursor = found[-1].following
        if cursor is not None:
            assert Cursor.read(str(cursor)) == cursor
    return found


@given(DIRECTIONS, st.lists(st.integers(0, 7), max_size=3), QUERIES, st.integers(1, 7))
def test_pages_are_all_images_in_their_order(
    directions: list[int], negatives: list[int], query: Tensor, limit: int
) -> None:
    state = snapshot(directions, negatives)
    found = pages(state, query, limit)
    shown = [one.record.public_id for page in found for one in page.neighbours]
    assert shown == expected(state, query)
    assert all(page.total == len(directions) + len(negatives) for page in found)
    assert all(len(page.neighbours) == limit for page in found[:-1])
    similarities = [one.similarity for page in found for one in page.neighbours]
    assert similarities == sorted(similarities, reverse=True)
    labels = {one.record.class_id: one.label for page in found for one in page.neighbours}
    assert labels.items() <= {1: "ant", 2: "not-these"}.items()


@given(DIRECTIONS, QUERIES, st.integers(1, 5), st.data())
def test_an_image_that_stays_is_shown_once_whatever_comes_and_goes(
    directions: list[int], query: Tensor, limit: int, data: st.DataObject
) -> None:
    """Later images have larger ids; those that go are the last, so that the others keep theirs."""
    stays = len(directions)
    shown: list[str] = []
    cursor, first = None, True
    while first or cursor is not None:
        first = False
        more = data.draw(st.lists(st.integers(0, 7), max_size=4))
        state = snapshot(directions + more)
        page = page_of_similar(state, query, "corrected", limit, cursor)
        shown += [one.record.public_id for one in page.neighbours if one.record.id < stays]
        cursor = page.following
    assert shown == expected(snapshot(directions), query)


def test_the_frozen_embeddings_are_others() -> None:
    state = snapshot([0, 1, 2, 3])
    query = state.support.embeddings.frozen[2:3]
    [first] = page_of_similar(state, query, "frozen", 1).neighbours
    assert (first.record.id, first.similarity) == (2, 1.0)
    [other] = page_of_similar(state, query, "corrected", 1).neighbours
    assert other.similarity < 0.999
