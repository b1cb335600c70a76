"""Idempotency keys: which requests were carried out, marked in the transaction of their change.

Jena and Dalal, *The Idempotency-Key HTTP Header Field*,
draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.problems import IdempotencyKeyInUse
from service.storage.recording import Recorded
from service.storage.tables import IdempotencyRow, table_of
from service.storage.transactions import writing
from service.tenancy import bare

KEPT = timedelta(days=1)
"""How long a key is known."""
IN_USE = IdempotencyKeyInUse(
    "Another request with this Idempotency-Key is being carried out. Send it again in a second:"
    " it is answered as that one then.",
    headers={"retry-after": "1"},
)

_KEYS = table_of(IdempotencyRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """The answer of a request that was carried out."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOut:
    """A request that was carried out.

    Attributes:
        fingerprint: Of the request.
        created_at: When it was.
        classifier: Bare name of the one that it changed last; None: it changed none.
        content_revision: Of that after it; None: it was deleted, or nothing was changed.
        answer: None: the process ended before it was kept, or it is one that is kept nowhere.
    """

    fingerprint: str
    created_at: datetime
    classifier: str | None
    content_revision: int | None
    answer: KeptAnswer | None


class IdempotencyKeys:
    """Idempotency keys of one database. Methods block, and raise as those of a store do.

    Args:
        engine: Of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, digest: str) -> CarriedOut | None:
        """What was carried out under a key; None: nothing in the last day. Costs one row."""
        with self._engine.connect() as connection:
            row = connection.execute(
                select(_KEYS).where(_KEYS.c.digest == digest, _KEYS.c.created_at > _oldest())
            ).one_or_none()
        if row is None:
            return None
        answer = None
        if row.status is not None:
            answer = KeptAnswer(
                status=row.status, headers=row.headers or {}, body=zlib.decompress(row.body)
            )
        return CarriedOut(
            fingerprint=row.fingerprint,
            created_at=row.created_at,
            classifier=row.classifier,
            content_revision=row.content_revision,
            answer=answer,
        )

    def keep(
        self, digest: str, request: str, fingerprint: str, answer: KeptAnswer
    ) -> CarriedOut | None:
        """Keep the answer of a request, whether it has changed something or not.

        Args:
            digest: Of its key.
            request: Which sending of it; another one's answer stays.
            fingerprint: Of the request.
            answer: To be kept.

        Returns:
            None: It is kept. Else what was carried out by another process meanwhile, which stays.
        """
        columns = _columns(answer)
        with writing(self._engine) as session:
            mine = update(_KEYS).where(_KEYS.c.digest == digest, _KEYS.c.request == request)
            if session.connection().execute(mine.values(columns)).rowcount:
                return None
            _forget_expired(session)
            given = {"digest": digest, "request": request, "fingerprint": fingerprint, **columns}
            try:
                session.execute(insert(_KEYS), [{**given, "created_at": datetime.now(UTC)}])
            except IntegrityError:  # somebody else was quicker to do nothing
                session.rollback()
            else:
                return None
        return self.find(digest)

    def forget_expired(self) -> None:
        """Let go of all that is older than a day."""
        with writing(self._engine, frees=True) as session:
            _forget_expired(session)


@dataclass(slots=True)
class RequestMark:
    """A recorder that marks a request as carried out.

    Attributes:
        digest: Of its key.
        request: Which sending of it.
        fingerprint: Of the request, when its change is made.
        marked: Whether a change was.
    """

    digest: str
    request: str
    fingerprint: Callable[[], str]
    marked: bool = False

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Mark it, in the transaction of the change.

        Raises:
            IdempotencyKeyInUse: Another request with the key was quicker.
        """
        state = {
            "classifier": bare(recorded.name),
            "content_revision": None if recorded.revision is None else recorded.content_revision,
        }
        self._write(session, state)

    def answered(self, session: Session, answer: KeptAnswer | None) -> None:
        """Mark a request that changes no classifier, in the transaction of what it does.

        Args:
            session: Of the transaction.
            answer: What repetitions are answered; None: that is kept nowhere.

        Raises:
            IdempotencyKeyInUse: Another request with the key was quicker.
        """
        self._write(session, {} if answer is None else _columns(answer))

    def _write(self, session: Session, state: dict[str, Any]) -> None:
        _forget_expired(session)
        given = {
            "digest": self.digest,
            "request": self.request,
            "fingerprint": self.fingerprint(),
            "created_at": datetime.now(UTC),
            **state,
        }
        mine = update(_KEYS).where(_KEYS.c.digest == self.digest, _KEYS.c.request == self.request)
        if self.marked and session.connection().execute(mine.values(state)).rowcount:
            return
        try:
            session.execute(insert(_KEYS), [given])
        except IntegrityError:
            raise IN_USE from None
        self.marked = True


def _columns(answer: KeptAnswer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "headers": answer.headers,
        "body": zlib.compress(answer.body, 1),
    }


def _oldest() -> datetime:
    return datetime.now(UTC) - KEPT


def _forget_expired(session: Session) -> None:
    session.execute(delete(_KEYS).where(_KEYS.c.created_at <= _oldest()))
