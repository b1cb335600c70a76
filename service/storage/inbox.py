"""The inboxes of classifiers: queries that are remembered, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import ColumnElement, Engine, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from adapters.embeddings import ImageEmbeddings
from service.images.embedded import Placed
from service.problems import RememberedNotFound
from service.storage.contents import (
    HELD_OF_REMEMBERED,
    Contents,
    KeptBytes,
    refer,
)
from service.storage.recording import Recorded
from service.storage.rows import blob, image_embeddings
from service.storage.tables import (
    ClassifierRow,
    RememberedContentRow,
    RememberedRow,
    VerdictRow,
    table_of,
)
from service.storage.tenant_limits import OwnedLimits
from service.storage.transactions import writing
from service.tenancy import bare, qualified

Why = Literal["unknown", "uncertain", "all"]
Verdict = Literal["confirm", "correct", "reject"]
# Bytes of pictures in one inbox; beyond them the oldest are forgotten.
MOST_BYTES = 2**30
# Days for which verdicts are kept.
VERDICT_DAYS = 730
_ROWS = table_of(RememberedRow)
# All but embeddings and bytes, which lists do not need.
_LISTED = [column for column in _ROWS.c if column.name not in ("frozen", "corrected", "checksum")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query to be remembered.

    Attributes:
        content: Its bytes; None: they are not kept.
        embeddings: One row.
        candidates: The most probable classes, each with label and probability.
        labels: Those that it was given, where it may have several; None where it has one.
    """

    public_id: str
    asked_at: datetime
    why: Why
    sha256: str
    filename: str
    media_type: str
    content: bytes | None
    fingerprint: str
    embeddings: ImageEmbeddings
    revision: int
    label: str
    probability: float
    known: bool
    p_value: float | None
    prediction_set: list[str] | None
    candidates: list[dict[str, Any]]
    labels: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A query in an inbox; attributes as those of :class:`Query`.

    Attributes:
        id: Its row.
        has_picture: Whether its bytes were kept.
    """

    id: int
    public_id: str
    asked_at: datetime
    why: Why
    filename: str
    media_type: str
    has_picture: bool
    fingerprint: str
    revision: int
    label: str
    probability: float
    known: bool
    p_value: float | None
    prediction_set: list[str] | None
    candidates: list[dict[str, Any]]
    labels: list[str] | None = None


class Inboxes:
    """Inboxes of one database. Methods block, and raise as those of a store do.

    Args:
        engine: Of the database.
        limits: That nothing is remembered beyond; None: there are none.
        contents: Bytes of pictures; None: all are in the database.
    """

    def __init__(
        self,
        engine: Engine,
        limits: OwnedLimits | None = None,
        contents: Contents | None = None,
    ) -> None:
        self._engine = engine
        self._contents = Contents(engine) if contents is None else contents
        self._limits = limits

    def remember(
        self,
        classifier_id: int,
        created_at: datetime,
        queries: Sequence[Query],
        most: int,
        days: float,
    ) -> int:
        """Write queries to an inbox, and forget what it has no room for.

        A picture that it has already is not written again.

        Args:
            classifier_id: Whose inbox.
            created_at: Of that classifier: ids are given again.
            queries: In the order in which they were asked.
            most: Queries in the inbox.
            days: After which they are forgotten.

        Returns:
            How many are new.

        Raises:
            QuotaExceeded: The tenant may not own as many bytes; none is written.
        """
        of = ClassifierRow.id == classifier_id, ClassifierRow.created_at == created_at
        with self._placed(classifier_id, queries) as placed, writing(self._engine) as session:
            tenant = session.scalar(select(ClassifierRow.tenant).where(*of).with_for_update())
            if tenant is None:
                return 0
            known = _known(session, classifier_id, queries)
            new = {one.sha256: one for one in queries if one.sha256 not in known}
            for one in new.values():
                row = RememberedRow(**_columns(classifier_id, one))
                session.add(row)
                session.flush()
                if (put := placed.get(one.sha256)) is not None:
                    refer(session, [put])
                    session.add(
                        RememberedContentRow(remembered_id=row.id, content=b"", object_id=put.id)
                    )
                elif one.content is not None:
                    session.add(RememberedContentRow(remembered_id=row.id, content=one.content))
            session.flush()
            _forget(session, classifier_id, most, days)
            if self._limits is not None and any(one.content for one in new.values()):
                self._limits.check(session, tenant, ("bytes",))
        return len(new)

    @contextmanager
    def _placed(self, classifier_id: int, queries: Sequence[Query]) -> Iterator[dict[str, Placed]]:
        """Put bytes of queries that are new where they are kept; by their SHA-256."""
        if self._contents.target is None:
            yield {}
            return
        with Session(self._engine) as session:
            tenant = session.scalar(
                select(ClassifierRow.tenant).where(ClassifierRow.id == classifier_id)
            )
            known = _known(session, classifier_id, queries)
        new = {
            qualified(tenant or "", one.sha256): partial(bytes, one.content)
            for one in queries
            if one.content is not None and one.sha256 not in known
        }
        with self._contents.placed(new) as found:
            yield {bare(key): put for key, put in found.items()}

    def page(
        self,
        classifier_id: int,
        most: int,
        after: tuple[datetime, str] | None = None,
        label: str | None = None,
        known: bool | None = None,
    ) -> list[Remembered]:
        """Queries of an inbox, the newest first.

        Args:
            classifier_id: Whose inbox.
            most: How many.
            after: The one before the first, by its time and id.
            label: That they were answered with; None: any.
            known: Whether they were answered as known; None: both.
        """
        asked = select(*_LISTED).where(_ROWS.c.classifier_id == classifier_id)
        if after is not None:
            at, public_id = after
            older = and_(_ROWS.c.asked_at == at, _ROWS.c.public_id < public_id)
            asked = asked.where(or_(_ROWS.c.asked_at < at, older))
        if label is not None:
            asked = asked.where(_ROWS.c.label == label)
        if known is not None:
            asked = asked.where(_ROWS.c.known == known)
        newest = asked.order_by(_ROWS.c.asked_at.desc(), _ROWS.c.public_id.desc()).limit(most)
        with self._engine.connect() as connection:
            return [_remembered(row) for row in connection.execute(newest)]

    def get(self, classifier_id: int, public_id: str) -> Remembered | None:
        """A query of an inbox, or None."""
        with self._engine.connect() as connection:
            found = select(*_LISTED).where(_of(classifier_id, public_id))
            row = connection.execute(found).one_or_none()
            return None if row is None else _remembered(row)

    def count(self, classifier_id: int) -> int:
        """How many queries are in an inbox."""
        counted = select(func.count()).where(_ROWS.c.classifier_id == classifier_id)
        with self._engine.connect() as connection:
            return connection.scalar(counted) or 0

    def content(self, remembered_id: int) -> bytes | None:
        """The bytes of a picture; None: they were not kept, or the query is gone.

        Raises:
            ImageDamaged: They were kept, and are gone or others.
        """
        with self._engine.connect() as connection:
            row = connection.execute(
                HELD_OF_REMEMBERED.where(RememberedContentRow.remembered_id == remembered_id)
            ).one_or_none()
        return None if row is None else self._contents.read(KeptBytes.of(row))

    def embeddings(self, remembered_id: int) -> ImageEmbeddings | None:
        """The (1, d) embeddings of a query; None: it is gone."""
        with self._engine.connect() as connection:
            row = connection.execute(
                select(_ROWS.c.frozen, _ROWS.c.corrected, _ROWS.c.checksum).where(
                    _ROWS.c.id == remembered_id
                )
            ).one_or_none()
        return None if row is None else image_embeddings([row], lambda _: "the query")

    def judge(self, name: str, judgement: Judgement) -> None:
        """Take a query out of its inbox, with a verdict on it that changes no classifier.

        Raises:
            RememberedNotFound: It was taken out already.
        """
        with writing(self._engine, frees=True) as session:
            judgement.write(session, name)

    def delete(self, classifier_id: int, public_id: str) -> bool:
        """Forget a query; whether it was there."""
        with writing(self._engine, frees=True) as session:
            gone = session.execute(delete(_ROWS).where(_of(classifier_id, public_id)))
            return bool(gone.rowcount)  # type: ignore[attr-defined]

    def verdicts(self, classifier_id: int, since: datetime) -> list[tuple[datetime, bool]]:
        """Verdicts on queries asked since then: when that was, and whether the answer was right."""
        found = select(VerdictRow.asked_at, VerdictRow.right).where(
            VerdictRow.classifier_id == classifier_id, VerdictRow.asked_at >= since
        )
        with Session(self._engine) as session:
            return [(at, right) for at, right in session.execute(found)]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on a query, as a recorder of the change that it leads to, if any.

    So the change is made and the query gone from the inbox, or neither is; and of two that judge
    at the same time one finds nothing, and has changed nothing.

    Attributes:
        of: The query.
        classifier_id: Whose inbox it is in.
        action: What was done.
        label: The true one; None: it is of no class.
        right: Whether the answer was.
    """

    of: Remembered
    classifier_id: int
    action: Verdict
    label: str | None
    right: bool

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Write it down in the transaction of a change.

        Raises:
            RememberedNotFound: Somebody was quicker.
        """
        self.write(session, recorded.name)

    def write(self, session: Session, name: str) -> None:
        """Write it down."""
        public_id = self.of.public_id
        gone = session.execute(delete(_ROWS).where(_of(self.classifier_id, public_id)))
        if not gone.rowcount:  # type: ignore[attr-defined]
            raise RememberedNotFound(name, public_id)
        now = datetime.now(UTC)
        session.add(
            VerdictRow(
                public_id=public_id,
                classifier_id=self.classifier_id,
                asked_at=self.of.asked_at,
                judged_at=now,
                action=self.action,
                answered=self.of.label,
                probability=self.of.probability,
                known=self.of.known,
                label=self.label,
                right=self.right,
            )
        )
        session.flush()
        session.execute(
            delete(VerdictRow).where(
                VerdictRow.classifier_id == self.classifier_id,
                VerdictRow.asked_at < now - timedelta(days=VERDICT_DAYS),
            )
        )


def _known(session: Session, classifier_id: int, queries: Sequence[Query]) -> set[str]:
    """Those of some pictures that an inbox has, by their SHA-256."""
    asked = [one.sha256 for one in queries]
    return set(
        session.scalars(
            select(_ROWS.c.sha256).where(
                _ROWS.c.classifier_id == classifier_id, _ROWS.c.sha256.in_(asked)
            )
        )
    )


def _of(classifier_id: int, public_id: str) -> ColumnElement[bool]:
    return and_(_ROWS.c.classifier_id == classifier_id, _ROWS.c.public_id == public_id)


def _columns(classifier_id: int, one: Query) -> dict[str, Any]:
    return {
        "public_id": one.public_id,
        "classifier_id": classifier_id,
        "asked_at": one.asked_at,
        "why": one.why,
        "sha256": one.sha256,
        "filename": one.filename[-255:],
        "media_type": one.media_type,
        "size": 0 if one.content is None else len(one.content),
        "fingerprint": one.fingerprint,
        "frozen": blob(one.embeddings.frozen[0]),
        "corrected": blob(one.embeddings.corrected[0]),
        "revision": one.revision,
        "label": one.label,
        "probability": one.probability,
        "known": one.known,
        "p_value": one.p_value,
        "prediction_set": one.prediction_set,
        "candidates": one.candidates,
        "labels": one.labels,
    }


def _forget(session: Session, classifier_id: int, most: int, days: float) -> None:
    """Delete what is too old, or too much."""
    mine = _ROWS.c.classifier_id == classifier_id
    before = datetime.now(UTC) - timedelta(days=days)
    session.execute(delete(_ROWS).where(mine, _ROWS.c.asked_at < before))
    count, size = session.execute(
        select(func.count(), func.coalesce(func.sum(_ROWS.c.size), 0)).where(mine)
    ).one()
    if count <= most and size <= MOST_BYTES:
        return
    newest = select(_ROWS.c.id, _ROWS.c.size).where(mine).order_by(_ROWS.c.asked_at.desc())
    left, gone = MOST_BYTES, []
    for number, row in enumerate(session.execute(newest).all()):
        left -= row.size
        if number >= most or (left < 0 and number > 0):
            gone.append(row.id)
    for start in range(0, len(gone), 500):
        session.execute(delete(_ROWS).where(_ROWS.c.id.in_(gone[start : start + 500])))


def _remembered(row: Any) -> Remembered:
    return Remembered(
        id=row.id,
        public_id=row.public_id,
        asked_at=row.asked_at,
        why=row.why,
        filename=row.filename,
        media_type=row.media_type,
        has_picture=row.size > 0,
        fingerprint=row.fingerprint,
        revision=row.revision,
        label=row.label,
        probability=row.probability,
        known=bool(row.known),
        p_value=row.p_value,
        prediction_set=row.prediction_set,
        candidates=row.candidates,
        labels=row.labels,
    )
