"""Bookkeeping: what is written of keys in the background, so that no request waits for it."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic
from typing import NamedTuple

from fastapi_problem.error import StatusProblem
from sqlalchemy import Engine

from service.access.principal import Principal
from service.authentication.key_ring import KeyRing
from service.storage.audit import Entry, forget_entries, shortened, write_entries
from service.storage.keys import note_use

logger = logging.getLogger("handful")

# Seconds: between two looks; between two times that the use of a key is written; between two
# looks for old entries.
_EVERY = 2.0
_USE_EVERY = 60.0
_FORGET_EVERY = 3600.0
# Kinds of refusals that are kept until they are written; more are counted together.
_MOST = 200


class _Refusal(NamedTuple):
    """A kind of refusal: by whom, of what."""

    principal: Principal
    request: str
    classifier: str | None


class Bookkeeping:
    """Writes when keys were used and what was refused, and forgets old entries of the audit log.

    Refusals are counted by kind and written together, so that nobody can make the service write
    as quickly as they can ask. What was not written when the process dies is lost; changes, keys
    and exports are written by whoever makes them.

    Args:
        engine: Of the database.
        ring: Whose keys are used.
        audit_days: How long entries are kept; 0: there are none.
    """

    def __init__(self, engine: Engine, ring: KeyRing, audit_days: float) -> None:
        self._engine = engine
        self._ring = ring
        self._days = audit_days
        self._lock = Lock()
        self._refusals: Counter[_Refusal] = Counter()
        self._used_at = self._forgotten_at = 0.0
        self._ended = Event()
        self._failing = False
        self._thread = Thread(target=self._work, name="bookkeeping", daemon=True)
        self._thread.start()

    def refused(self, principal: Principal, method: str, path: str, classifier: str | None) -> None:
        """Note that somebody who is known was refused something; costs nothing."""
        if not self._days:
            return
        kind = _Refusal(principal, shortened(f"{method} {path}"), classifier)
        with self._lock:
            if kind not in self._refusals and len(self._refusals) >= _MOST:
                kind = _Refusal(principal, "(others)", None)
            if kind in self._refusals or len(self._refusals) < 2 * _MOST:
                self._refusals[kind] += 1

    def close(self) -> None:
        """Write what is left, and stop."""
        self._ended.set()
        self._thread.join()
        self._used_at = -_USE_EVERY
        self._write()

    def _work(self) -> None:
        while not self._ended.wait(_EVERY):
            self._write()

    def _write(self) -> None:
        try:
            self._write_refusals()
            now = monotonic()
            if now - self._used_at >= _USE_EVERY:
                self._used_at = now
                self._write_use()
            if self._days and now - self._forgotten_at >= _FORGET_EVERY:
                self._forgotten_at = now
                forget_entries(self._engine, datetime.now(UTC) - timedelta(days=self._days))
            self._failing = False
        except Exception as error:  # whatever it is: it is tried again, and nobody waits for it
            if not self._failing:
                told = error.detail if isinstance(error, StatusProblem) else error
                logger.warning("use of keys and refusals cannot be written: %s", told)
            self._failing = True

    def _write_refusals(self) -> None:
        with self._lock:
            refusals, self._refusals = self._refusals, Counter()
        if not refusals:
            return
        entries = [
            Entry.by(one.principal, "refused", one.classifier, request=one.request, times=times)
            for one, times in refusals.items()
        ]
        try:
            write_entries(self._engine, entries)
        except BaseException:
            with self._lock:
                self._refusals = refusals + self._refusals
            raise

    def _write_use(self) -> None:
        used = self._ring.taken_use()
        if not used:
            return
        try:
            note_use(
                self._engine, {key: datetime.fromtimestamp(at, UTC) for key, at in used.items()}
            )
        except BaseException:
            self._ring.used = used | self._ring.used
            raise
