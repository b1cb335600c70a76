"""What a reader that holds an earlier state of a classifier is told, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.problems import ClassifierDamaged, OtherBackbone
from service.storage import change_log
from service.storage.change import Change, NewClass, Written
from service.storage.engine import open_database
from service.storage.fingerprints import Origin
from service.storage.records import ClassRecord, State, StoredClassifier, SupportRecord
from service.storage.stale import StaleEmbeddings
from service.storage.store import Store
from service.storage.tables import ChangeRow
from tests.service.databases import KINDS, new_database
from tests.service.stored import OWN, TUNING, create, loaded, rows, support, write

PATIENCE = 60
LABELS = ("ant", "bee", "cat")


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with new_database(request.param) as url:
        opened = open_database(url)
        yield opened
        opened.dispose()


@pytest.fixture(scope="module")
def store(engine: Engine) -> Store:
    return Store(engine, OWN)


@pytest.fixture(autouse=True)
def _emptied(store: Store) -> Iterator[None]:
    yield
    empty(store)


def empty(store: Store) -> None:
    for record in store.classifiers():
        store.delete_classifier(record.id)


@dataclass(frozen=True)
class Held:
    """A state of a classifier as a reader holds it."""

    state: State
    classes: list[ClassRecord]
    support: list[SupportRecord]
    embeddings: ImageEmbeddings
    tuning: Tuning
    tuning_is_current: bool

    @classmethod
    def of(cls, stored: StoredClassifier) -> Held:
        embeddings = stored.embeddings
        if not stored.support:
            embeddings = ImageEmbeddings(torch.empty(0, 8), torch.empty(0, 12))
        return cls(
            stored.record.state,
            stored.classes,
            stored.support,
            embeddings,
            stored.record.tuning,
            stored.record.tuning_state.is_current,
        )

    def after(self, written: Written) -> Held:
        images = SupportSet(
            torch.tensor([one.id for one in self.support], dtype=torch.int64),
            torch.tensor([one.class_id for one in self.support], dtype=torch.int64),
            self.embeddings,
        )
        records = {one.id: one for one in (*self.support, *written.support)}
        if (removed := written.images_removed(GrowingSupport.of(images))) is not None:
            assert len(set(removed.tolist())) == len(removed)
            assert set(removed.tolist()) <= set(images.ids.tolist())
            images = images.without(removed)
        if (added := written.added()) is not None:
            images = images.with_added(added)
        return Held(
            self.state._replace(
                revision=written.revision, content_revision=written.content_revision
            ),
            written.classes_after(self.classes),
            [records[i] for i in images.ids.tolist()],
            images.embeddings,
            self.tuning if written.tuning is None else written.tuning,
            written.tuning_is_current,
        )

    def same(self, other: Held) -> bool:
        return (
            replace(self, classes=[], embeddings=other.embeddings) == replace(other, classes=[])
            and list(map(_named, self.classes)) == list(map(_named, other.classes))
            and torch.equal(self.embeddings.frozen, other.embeddings.frozen)
            and torch.equal(self.embeddings.corrected, other.embeddings.corrected)
        )


def _named(record: ClassRecord) -> tuple[object, ...]:
    text = None if record.text is None else tuple(record.text.tolist())
    return record.id, record.label, record.created_at, text


def tuned(number: int) -> Tuning:
    return replace(TUNING, temperature=1.0 + number)


def changed(stored: StoredClassifier, kind: str, number: int, tuning: Tuning | None) -> Change:
    """A change of that kind that the classifier can take; one of nothing where it cannot."""
    labels = {record.label: record.id for record in stored.classes}
    of_class = {(one.class_id, one.sha256) for one in stored.support}
    match kind:
        case "add":
            label = LABELS[number % 3]
            new = [support(seed, label) for seed in range(number, number + 1 + number % 2)]
            fresh = () if label in labels else (NewClass(label=label, text=torch.ones(8)),)
            have = labels.get(label, 0)
            images = tuple(s for s in new if (have, s.image.sha256) not in of_class)
            return Change(tuning=tuning, classes_added=fresh, added=images)
        case "remove":
            gone = stored.support[number % 5 :][:2]
            return Change(tuning=tuning, removed=tuple(one.id for one in gone))
        case "declare":
            label = LABELS[number % 3]
            fresh = () if label in labels else (NewClass(label=label),)
            return Change(tuning=tuning, classes_added=fresh)
        case "drop":
            classes = stored.classes[number % 3 :][:1]
            return Change(tuning=tuning, classes_removed=tuple(one.id for one in classes))
        case _:
            settings = ClassifierSettings(method="tip-adapter")
            return Change(tuning=tuning or TUNING, settings=settings)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "remove", "declare", "drop", "settings"]),
        st.integers(0, 9),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=15, deadline=None)
@given(changes=CHANGES)
def test_who_follows_is_where_one_who_reads_anew_is(
    store: Store, changes: list[tuple[str, int, bool]]
) -> None:
    empty(store)
    create(store, "a", "ant")
    held = [Held.of(loaded(store, "a"))]
    for step, (kind, number, is_tuned) in enumerate(changes):
        stored = loaded(store, "a")
        change = changed(stored, kind, number, tuned(step) if is_tuned else None)
        written = store.write(stored.record.state, change)
        latest = Held.of(loaded(store, "a"))
        if kind != "settings":
            assert held[-1].after(written).same(latest)
        held.append(latest)
    refits = [step for step, (kind, *_) in enumerate(changes) if kind == "settings"]
    for revision, state in enumerate(held):
        followed = store.written_since(state.state)
        if any(step >= revision for step in refits):
            assert followed is None
        else:
            assert followed is not None
            assert state.after(followed).same(latest)


def test_who_follows_beside_a_writer_sees_one_state(store: Store) -> None:
    create(store, "a", *LABELS)
    there: dict[int, set[int]] = {0: set()}
    done = Event()

    def write_on() -> None:
        try:
            for number in range(40):
                stored = loaded(store, "a")
                kind = "add" if number % 3 else "remove"
                written = store.write(
                    stored.record.state, changed(stored, kind, number % 10, tuned(number))
                )
                there[written.revision] = {one.id for one in loaded(store, "a").support}
        finally:
            done.set()

    followed = [Held.of(loaded(store, "a"))]
    with ThreadPoolExecutor(1) as threads:
        writer = threads.submit(write_on)
        while not done.is_set():
            written = store.written_since(followed[-1].state)
            assert written is not None
            followed.append(followed[-1].after(written))
        writer.result(PATIENCE)
    for held in followed:
        assert {one.id for one in held.support} == there[held.state.revision]
        assert held.tuning == (tuned(held.state.revision - 1) if held.state.revision else TUNING)


def test_a_tuning_that_has_become_stale_again_is_followed(store: Store) -> None:
    create(store, "a", "ant")
    before = Held.of(loaded(store, "a"))
    store.write(before.state, Change(tuning=tuned(3)))
    store.write(loaded(store, "a").record.state, Change(added=(support(1, "ant"),)))
    written = store.written_since(before.state)
    assert written is not None
    assert (written.tuning, written.tuning_is_current) == (tuned(3), False)
    assert before.after(written).same(Held.of(loaded(store, "a")))


def test_the_log_keeps_the_last_revisions_of_each_classifier(
    store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "KEPT", 3)
    create(store, "other", "ant")
    write(store, "other", added=(support(50, "ant"),))
    create(store, "a", "ant")
    states = [loaded(store, "a").record.state]
    for seed in range(6):
        write(store, "a", added=(support(seed, "ant"),))
        states.append(loaded(store, "a").record.state)
    assert rows(engine, ChangeRow) == 3 + 1
    assert [store.written_since(state) is None for state in states] == [True] * 3 + [False] * 4
    store.delete_classifier(states[0].id)
    assert rows(engine, ChangeRow) == 1


def test_a_change_of_more_than_is_listed_is_read_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_log, "MOST_LISTED", 3)
    create(store, "a", "ant")
    first = loaded(store, "a").record.state
    write(store, "a", added=tuple(support(seed, "ant") for seed in range(3)))
    assert store.written_since(first) is not None
    second = loaded(store, "a").record.state
    write(store, "a", added=tuple(support(seed, "ant") for seed in range(3, 7)))
    assert store.written_since(first) is store.written_since(second) is None


def test_a_change_that_fails_leaves_no_row_of_the_log(store: Store, engine: Engine) -> None:
    create(store, "a", "ant")
    state = loaded(store, "a").record.state
    clash = support(2, "ant")
    with pytest.raises(IntegrityError):
        write(store, "a", added=(support(1, "ant"), clash, clash))
    assert rows(engine, ChangeRow) == 0
    written = store.written_since(state)
    assert written is not None
    assert (written.revision, written.support, written.embeddings) == (0, [], None)


def test_another_classifier_of_that_id_and_one_that_is_gone_are_not_followed(store: Store) -> None:
    create(store, "a", "ant")
    state = loaded(store, "a").record.state
    store.delete_classifier(state.id)
    assert store.written_since(state) is None
    create(store, "a", "ant")
    write(store, "a", added=(support(1, "ant"),))
    assert store.written_since(state) is None


def without_a_row(engine: Engine, state: State) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("DELETE FROM changes WHERE revision = 1"))


def unreadable(engine: Engine, state: State) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("""UPDATE changes SET support_added = '["x"]'"""))


def from_a_backup(engine: Engine, state: State) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE classifiers SET revision = 0"))


@pytest.mark.parametrize("damage", [without_a_row, unreadable, from_a_backup])
def test_a_log_that_tells_too_little_is_not_followed(
    store: Store, engine: Engine, damage: Callable[[Engine, State], None]
) -> None:
    create(store, "a", "ant")
    state = loaded(store, "a").record.state
    for seed in range(2):
        write(store, "a", added=(support(seed, "ant"),))
    if damage is from_a_backup:
        state = loaded(store, "a").record.state
    damage(engine, state)
    assert store.written_since(state) is None
    assert len(loaded(store, "a").support) == 2


def test_what_is_damaged_is_told_by_reading_anew(store: Store, engine: Engine) -> None:
    create(store, "a", "ant")
    state = loaded(store, "a").record.state
    write(store, "a", added=(support(1, "ant"),))
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE images SET frozen = substr(frozen, 1, 7)"))
    assert store.written_since(state) is None
    with pytest.raises(ClassifierDamaged):
        store.load("a")


def test_another_backbone_does_not_follow(store: Store, engine: Engine) -> None:
    create(store, "a", "ant")
    state = loaded(store, "a").record.state
    write(store, "a", added=(support(1, "ant"),))
    with pytest.raises(OtherBackbone):
        Store(engine, Origin("0" * 64, "other")).written_since(state)


def test_a_classifier_that_was_embedded_anew_is_read_anew(store: Store, engine: Engine) -> None:
    create(store, "a", "ant")
    state = loaded(store, "a").record.state
    store.write(state, Change(added=(support(1, "ant"),)))
    StaleEmbeddings(engine, OWN).write(loaded(store, "a").record.state, Change(tuning=TUNING))
    assert store.written_since(state) is None
    record = loaded(store, "a").record
    assert (record.revision, record.tuning_state.is_current) == (2, True)
    with pytest.raises(ValueError, match="tuning"):
        StaleEmbeddings(engine, OWN).write(record.state, Change())


def test_images_are_found_by_content_and_by_id(store: Store) -> None:
    create(store, "a", "ant", "bee")
    create(store, "b", "ant")
    images: tuple[Any, ...] = (support(1, "ant"), support(1, "bee"), support(2, "bee"))
    written = write(store, "a", added=images)
    write(store, "b", added=(support(3, "ant"),))
    a, b = (loaded(store, name).record.id for name in "ab")
    key = [(label, image.sha256) for label, image in images]
    ant, bee, other = written.support
    assert store.registered("a", a, []) == {}
    assert store.registered("a", a, key) == dict(zip(key, written.support, strict=True))
    assert store.registered("a", a, [key[0], ("ant", key[2][1]), ("cat", key[0][1])]) == {
        key[0]: ant
    }
    assert store.registered("b", b, key) == {}
    many = [key[0], *(("ant", f"{seed:064d}") for seed in range(1200))]
    assert store.registered("a", a, many) == {key[0]: ant}
    assert store.support_image(a, "bee", other.public_id) == other
    assert store.support_image(a, "ant", bee.public_id) is None
    assert store.support_image(b, "bee", bee.public_id) is None
    for unknown in ("0" * 32, other.public_id.upper() + "\n", "\0", "\ud800", ""):
        assert store.support_image(a, "bee", unknown) is None
