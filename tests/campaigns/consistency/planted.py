"""Bugs to be planted in a service, each of which the checker has to find.

A function is run in the process of a service before it starts, and changes one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import update
from sqlalchemy.sql import Update

from service.images.embedded import EmbeddedImage
from service.registry.class_texts import ClassTexts
from service.registry.freshness import RevisionCheck
from service.registry.registered import Registered
from service.registry.registry import Registry
from service.storage import store
from service.storage.change import Change, Written
from service.storage.idempotency import IdempotencyKeys, RequestMark
from service.storage.records import State
from service.storage.store import Store
from service.storage.tables import ClassifierRow


def stale_cache() -> None:
    """A replica takes what it has in memory for the latest state."""
    setattr(RevisionCheck, "is_fresh", lambda *_: True)  # noqa: B010


def lock_taken_too_late() -> None:
    """A change is written whatever has become of the state that it was made for."""

    def unchecked(state: State) -> Update:
        mine = ClassifierRow.id == state.id
        return update(ClassifierRow).where(mine).values(revision=ClassifierRow.revision + 1)

    setattr(store, "next_revision", unchecked)  # noqa: B010


def upload_in_parts() -> None:
    """The images of one request are registered in a transaction each."""
    whole = Registry.add_images

    def in_parts(
        self: Registry,
        name: str,
        images: Sequence[tuple[str, EmbeddedImage]],
        top_k: int | None = None,
        texts: ClassTexts = ClassTexts(),  # noqa: B008
    ) -> list[Registered]:
        return [one for image in images for one in whole(self, name, [image], top_k, texts)]

    setattr(Registry, "add_images", in_parts)  # noqa: B010


def deleted_in_memory_alone() -> None:
    """Images that are deleted stay in the database."""
    write = Store.write

    def kept(self: Store, state: State, change: Change) -> Written:
        return replace(write(self, state, replace(change, removed=())), removed=change.removed)

    setattr(Store, "write", kept)  # noqa: B010


def forgotten_idempotency_keys() -> None:
    """Nothing is known of a request that was carried out before the service was killed."""

    def nothing(*_: Any) -> None:
        return None

    setattr(IdempotencyKeys, "find", nothing)  # noqa: B010
    setattr(RequestMark, "_write", nothing)  # noqa: B010


PLANTED: Mapping[str, Callable[[], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        stale_cache,
        lock_taken_too_late,
        upload_in_parts,
        deleted_in_memory_alone,
        forgotten_idempotency_keys,
    )
}
"""By the name that ``--planted`` takes."""
