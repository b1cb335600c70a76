"""Webhooks in any order, and twice: the annotations that come of them are the same."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.integrations.label_studio.desired_state import DesiredState
from service.integrations.label_studio.events import Event
from service.storage.errors import Outdated
from service.storage.tables import AnnotationRow, BackboneRow, ClassifierRow, HeldRow

AT = datetime(2026, 11, 29, tzinfo=UTC)
LEASE = timedelta(minutes=1)
_numbers = itertools.count(1)

annotated = st.builds(
    Event,
    project=st.just("7.1"),
    annotation=st.integers(1, 4),
    task=st.none(),
    updated_at=st.integers(0, 3).map(lambda n: AT + timedelta(seconds=n)),
    image=st.sampled_from(["/a", "/b"]),
    labels=st.sampled_from([(), ("ant",), ("bee",), ("ant", "bee")]),
).map(
    lambda one: Event(
        **{name: getattr(one, name) for name in Event.__dataclass_fields__}
        | {"task": 10 + one.annotation // 2}
    )
)
deleted = st.builds(Event, project=st.just("7.1"), annotation=st.integers(1, 4))
task_deleted = st.integers(10, 12).map(
    lambda task: Event(project="7.1", annotation=-task, task=task)
)
EVENTS = st.lists(st.one_of(annotated, annotated, annotated, deleted, task_deleted), max_size=8)


def classifier(engine: Engine) -> int:
    """A classifier's row, and nothing else of it."""
    with Session(engine) as session, session.begin():
        if session.get(BackboneRow, "f" * 64) is None:
            session.add(BackboneRow(fingerprint="f" * 64, name="none"))
            session.flush()
        row = ClassifierRow(
            name=f"c{next(_numbers)}",
            tenant="",
            method="auto",
            templates=(),
            names_carry_meaning=False,
            false_rejection_rate=0.05,
            fingerprint="f" * 64,
            tuning={},
        )
        session.add(row)
        session.flush()
        return row.id


def stated(engine: Engine, of: int) -> list[Any]:
    columns: list[Any] = [
        AnnotationRow.annotation,
        AnnotationRow.deleted,
        AnnotationRow.image,
        AnnotationRow.labels,
    ]
    mine = select(*columns).where(AnnotationRow.classifier_id == of)
    with engine.connect() as connection:
        rows = connection.execute(mine.order_by(AnnotationRow.annotation))
        return [(row[0], row[1], row[2], tuple(row[3])) for row in rows]


def told(engine: Engine, *deliveries: Sequence[Event]) -> list[Any]:
    of, state = classifier(engine), DesiredState(engine)
    for events in deliveries:
        state.accept(of, events)
    return stated(engine, of)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=EVENTS, data=st.data())
def test_any_order_and_any_repetition_come_to_the_same(
    engine: Engine, events: list[Event], data: st.DataObject
) -> None:
    once = told(engine, *[[one] for one in events])
    again = data.draw(
        st.permutations(events + data.draw(st.lists(st.sampled_from(events))) if events else [])
    )
    assert told(engine, *[[one] for one in again]) == once
    cut = data.draw(st.integers(0, len(again)))
    assert told(engine, again[:cut], again[cut:]) == once


def test_a_deleted_task_takes_its_annotations_along_whenever_they_are_heard_of(
    engine: Engine,
) -> None:
    def of(annotation: int, second: int, *labels: str) -> Event:
        at = AT + timedelta(seconds=second)
        return Event(
            project="7.1", annotation=annotation, task=10, updated_at=at, image="/a", labels=labels
        )

    gone = Event(project="7.1", annotation=-10, task=10)
    events = [of(1, 0, "ant"), of(1, 1, "bee"), of(2, 0, "ant"), gone]
    expected = [(-10, True, None, ()), (1, True, None, ()), (2, True, None, ())]
    for some in itertools.permutations(events):
        assert told(engine, *[[one] for one in some]) == expected
        assert told(engine, some[:2], some[2:]) == expected
        without = [one for one in some if one is not gone]
        kept = [(1, False, "/a", ("bee",)), (2, False, "/a", ("ant",))]
        assert told(engine, *[[one] for one in without]) == kept


def test_only_what_is_wanted_otherwise_is_due(engine: Engine) -> None:
    of, state = classifier(engine), DesiredState(engine)
    old = Event(project="7.1", annotation=1, task=9, updated_at=AT, image="/a", labels=("ant",))
    assert state.accept(of, [old, old]) == 1
    [one] = state.take(10, LEASE)
    assert (one.annotation, one.labels, one.wanted) == (1, ("ant",), 1)
    assert state.take(10, LEASE) == []
    assert state.accept(of, [old]) == 0
    later = Event(
        project="7.1",
        annotation=1,
        task=9,
        updated_at=AT + timedelta(seconds=1),
        image="/a",
        labels=("bee",),
    )
    assert state.accept(of, [later]) == 1
    state.settle({one: (frozenset(), None)})  # of what was wanted before
    [two] = state.take(10, LEASE)
    assert (two.labels, two.wanted) == (("bee",), 2)
    state.hold({two: frozenset({("0" * 64, "bee")})})
    state.settle({two: (frozenset({("0" * 64, "bee")}), None)})
    assert state.next_due() is None
    assert state.status(of).learnt == 1
    state.release_all()
    assert state.take(10, LEASE) == []


def holding(engine: Engine, of: int) -> list[tuple[int, str]]:
    mine = select(HeldRow.annotation, HeldRow.label).where(HeldRow.classifier_id == of)
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(mine)]


def test_what_was_changed_after_it_was_taken_comes_back_by_nobody(engine: Engine) -> None:
    """Of two processes the slower one has taken what is deleted, and settled, meanwhile."""
    of, state = classifier(engine), DesiredState(engine)
    pairs = frozenset({("0" * 64, "ant")})
    events = [
        Event(project="7.1", annotation=n, task=9, updated_at=AT, image="/a", labels=("ant",))
        for n in (1, 2)
    ]
    state.accept(of, events)
    slow, kept = state.take(10, LEASE)
    state.accept(of, [Event(project="7.1", annotation=1)])
    [quick] = state.take(10, LEASE)
    state.settle({quick: (frozenset(), None)})
    assert state.hold({slow: pairs, kept: pairs}) == {kept}
    assert holding(engine, of) == [(2, "ant")]
    # Whoever has held before it was deleted, and added afterwards, has it looked at again.
    assert state.next_due() is not None
    state.settle({slow: (pairs, None), kept: (pairs, None)})
    [again] = state.take(10, LEASE)
    assert (again.annotation, again.deleted, again.wanted) == (1, True, 2)
    state.settle({again: (frozenset(), None)})
    state.postpone([again], "late", AT)  # somebody else has settled it
    assert state.next_due() is None
    assert holding(engine, of) == [(2, "ant")]


def test_a_task_is_deleted_while_an_annotation_of_it_is_made(engine: Engine) -> None:
    """Neither transaction may miss the other: both hold the classifier's row."""
    made = Event(project="7.1", annotation=1, task=9, updated_at=AT, image="/a", labels=("ant",))
    gone = Event(project="7.1", annotation=-9, task=9)
    for _ in range(5):
        of, state = classifier(engine), DesiredState(engine)
        at_once = Barrier(2)

        def accept(
            event: Event, state: DesiredState = state, of: int = of, at_once: Barrier = at_once
        ) -> None:
            at_once.wait()
            state.accept(of, [event])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(accept, (made, gone)))
        assert [row[:2] for row in stated(engine, of)] == [(-9, True), (1, True)]
    with pytest.raises(Outdated):
        DesiredState(engine).accept(of + 1, [made])


def test_what_a_process_took_that_is_gone_is_taken_again(engine: Engine) -> None:
    of, state = classifier(engine), DesiredState(engine)
    state.accept(of, [Event(project="7.1", annotation=1)])
    assert len(state.take(10, LEASE)) == 1
    assert state.take(10, LEASE) == []
    state.release_all()
    assert len(state.take(10, LEASE)) == 1
    assert state.take(10, LEASE) == []


def test_annotations_go_with_their_classifier(engine: Engine) -> None:
    of, state = classifier(engine), DesiredState(engine)
    state.accept(of, [Event(project="7.1", annotation=1)])
    with engine.begin() as connection:
        connection.execute(ClassifierRow.__table__.delete().where(ClassifierRow.id == of))  # type: ignore[attr-defined]
    assert stated(engine, of) == []
    assert state.take(10, LEASE) == []
