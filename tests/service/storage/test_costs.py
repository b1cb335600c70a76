"""What a change and its follower cost the database: as much as is changed, however much is stored.

Counted in steps of SQLite's virtual machine, which do not depend on the machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.store import Store
from tests.service.stored import OWN, TUNING, create, loaded, support, write

LABELS = [f"class {i}" for i in range(20)]


@dataclass
class Costs:
    """Of all statements while it counts."""

    steps: int = 0
    statements: list[str] = field(default_factory=list)

    def step(self) -> int:
        self.steps += 1
        return 0


@contextmanager
def counted(engine: Engine) -> Iterator[Costs]:
    costs = Costs()

    def checkout(connection: Any, *_: object) -> None:
        connection.set_progress_handler(costs.step, 1)

    def execute(connection: Any, cursor: Any, statement: str, *_: object) -> None:
        costs.statements.append(statement)

    event.listen(engine, "checkout", checkout)
    event.listen(engine, "before_cursor_execute", execute)
    yield costs
    event.remove(engine, "before_cursor_execute", execute)
    event.remove(engine, "checkout", checkout)


def add_one(store: Store) -> Callable[[], object]:
    state = loaded(store, "a").record.state
    return lambda: store.write(state, Change(added=(support(1, LABELS[0]),)))


def remove_one(store: Store) -> Callable[[], object]:
    stored = loaded(store, "a")
    return lambda: store.write(stored.record.state, Change(removed=(stored.support[-1].id,)))


def remove_a_class(store: Store) -> Callable[[], object]:
    write(store, "a", classes_added=(NewClass(label="new"),), added=(support(1, "new"),))
    stored = loaded(store, "a")
    change = Change(classes_removed=(stored.classes[-1].id,))
    return lambda: store.write(stored.record.state, change)


def tune(store: Store) -> Callable[[], object]:
    state = loaded(store, "a").record.state
    return lambda: store.write(state, Change(tuning=TUNING))


def follow_one(store: Store) -> Callable[[], object]:
    stored = loaded(store, "a")
    write(store, "a", added=(support(1, LABELS[0]),), removed=(stored.support[0].id,))
    return lambda: store.written_since(stored.record.state)


def look_up(store: Store) -> Callable[[], object]:
    stored = loaded(store, "a")
    labels = {record.id: record.label for record in stored.classes}
    image = stored.support[-1]

    def both() -> None:
        label = labels[image.class_id]
        assert store.registered(stored.record.name, stored.record.id, [(label, image.sha256)])
        assert store.support_image(stored.record.id, label, image.public_id) == image

    return both


def delete_another(store: Store) -> Callable[[], object]:
    create(store, "b", "ant")
    write(store, "b", added=(support(1, "ant"),))
    return lambda: store.delete_classifier(loaded(store, "b").record.id)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Databases with few images and with many, by their number."""
    folder = tmp_path_factory.mktemp("filled")
    files = {size: folder / f"{size}.db" for size in (40, 2000)}
    for size, file in files.items():
        engine = open_database(f"sqlite:///{file}")
        store = Store(engine, OWN)
        create(store, "a", *LABELS)
        images = (support(2, LABELS[i % 20], sha256=f"{size}-{i}") for i in range(size))
        write(store, "a", added=tuple(images))
        engine.dispose()  # the last connection empties the log
    return files


@pytest.mark.parametrize(
    "prepared",
    [add_one, remove_one, remove_a_class, tune, follow_one, look_up, delete_another],
)
def test_what_is_changed_is_paid_for_however_much_is_stored(
    tmp_path: Path, filled: dict[int, Path], prepared: Callable[[Store], Callable[[], object]]
) -> None:
    costs = []
    for file in filled.values():
        engine = open_database(f"sqlite:///{shutil.copy(file, tmp_path)}")
        act = prepared(Store(engine, OWN))
        with counted(engine) as cost:
            act()
        costs.append(cost)
        engine.dispose()
    few, many = costs
    assert few.statements == many.statements
    assert 0 < many.steps <= 1.1 * few.steps
