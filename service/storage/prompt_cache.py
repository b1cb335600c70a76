"""Embeddings of prompts, kept in the database: a class name costs one pass of the text tower."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Any

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from torch import Tensor

from service.problems import StorageFull, StorageUnavailable
from service.storage.errors import Damaged, Outdated
from service.storage.rows import blob, embedding_rows
from service.storage.statements import chunks
from service.storage.tables import PromptRow, is_as_written, table_of
from service.storage.transactions import writing

MOST_PROMPTS = 50_000
"""Rows that are kept: 100 MiB of 512 numbers each, twice and a half of what a classifier may have
by default."""
# Seconds after which a use is written down: a cache that is read is hardly ever written for it.
_TOUCHED_AFTER = 3600
_PROMPTS = table_of(PromptRow)
_INSERT: dict[str, Callable[..., Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


class PromptCache:
    """An LRU cache of text embeddings, in the database: by text tower and prompt.

    So names cost no pass that any classifier ever had, deleted or not, before a restart or after
    it, in any of several processes; and a change of templates back costs none either. It is not
    kept in memory as well: a thousand rows are read within some ten milliseconds.

    A row is found by a digest of the tower's fingerprint, the tenant and the prompt: the database
    tells no name that was deleted, to who does not guess it, and how quickly a name is embedded
    tells nobody whether another tenant has it. It is a cache: where the database
    cannot be read or written, prompts are embedded as if they were new.

    Thread-safe; methods block.

    Args:
        engine: Of ``open_database``.
        tower: Fingerprint of what embeds prompts.
        width: d, of an embedding.
        most: Prompts that are kept; those go first that were not asked for the longest.
    """

    def __init__(self, engine: Engine, tower: str, width: int, most: int = MOST_PROMPTS) -> None:
        self._engine = engine
        self._tower = tower
        self._size = 4 * width
        self._most = most

    def of(self, tower: str) -> PromptCache:
        """What the same database keeps of another tower; costs nothing.

        Args:
            tower: Its fingerprint.
        """
        cache = copy(self)
        cache._tower = tower
        return cache

    def find(self, tenant: str, prompts: Sequence[str]) -> dict[str, Tensor]:
        """The (d,) unit embeddings of those prompts that are kept; a row each is read."""
        by_key = {self._key(tenant, prompt): prompt for prompt in prompts}
        found: dict[str, Tensor] = {}
        old: list[int] = []
        now = int(time.time())
        with suppress(StorageUnavailable), self._engine.connect() as connection:
            for some in chunks(sorted(by_key)):
                read = connection.execute(select(_PROMPTS).where(_PROMPTS.c.key.in_(some))).all()
                # What is damaged is embedded anew.
                rows = [row for row in read if self._is_whole(row)]
                with suppress(Damaged):
                    embeddings = embedding_rows([row.embedding for row in rows])
                    found |= {by_key[row.key]: embeddings[i] for i, row in enumerate(rows)}
                old += [row.id for row in rows if row.used_at < now - _TOUCHED_AFTER]
        if old:
            self._touch(old, now)
        return found

    def add(self, tenant: str, rows: Mapping[str, Tensor]) -> None:
        """Keep (d,) unit embeddings of prompts, in one transaction; the oldest go for them."""
        now = int(time.time())
        values = [
            {"key": self._key(tenant, prompt), "embedding": blob(row), "used_at": now}
            for prompt, row in list(rows.items())[-self._most :]
        ]
        if not values:
            return
        with suppress(StorageFull, StorageUnavailable, Outdated), writing(self._engine) as session:
            for some in chunks([value["key"] for value in values]):  # damaged ones, if any
                session.execute(delete(_PROMPTS).where(_PROMPTS.c.key.in_(some)))
            insert = _INSERT[self._engine.dialect.name](_PROMPTS)
            session.execute(insert.on_conflict_do_nothing(), values)
            self._evict(session)

    def _is_whole(self, row: Any) -> bool:
        return is_as_written(row.checksum, row.embedding) and len(row.embedding) == self._size

    def _evict(self, session: Session) -> None:
        too_many = (session.scalar(select(func.count()).select_from(_PROMPTS)) or 0) - self._most
        if too_many > 0:
            oldest = select(_PROMPTS.c.id).order_by(_PROMPTS.c.used_at, _PROMPTS.c.id)
            session.execute(delete(_PROMPTS).where(_PROMPTS.c.id.in_(oldest.limit(too_many))))

    def _touch(self, ids: Sequence[int], now: int) -> None:
        with suppress(StorageFull, StorageUnavailable, Outdated), writing(self._engine) as session:
            for some in chunks(sorted(ids)):
                session.execute(update(_PROMPTS).where(_PROMPTS.c.id.in_(some)).values(used_at=now))

    def _key(self, tenant: str, prompt: str) -> str:
        tower = f"{self._tower}\0{tenant}" if tenant else self._tower
        return hashlib.sha256(f"{tower}\0{prompt}".encode()).hexdigest()
