"""The move of a database from one recipe of its backbone to another, while services run on it.

The new embeddings are written beside the old ones, classifiers change over one by one, and then the
new embeddings take the place of the old ones. What is done is in the database at each moment, so
whoever has the database next goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from service.problems import ReEmbeddingUnderWay
from service.storage.fingerprints import (
    Origin,
    lock_backbones,
    plain_fingerprint,
    remember,
)
from service.storage.moved_embeddings import lacking
from service.storage.notifications import announce
from service.storage.tables import (
    ClassifierRow,
    ContentRow,
    ImageRow,
    ReEmbeddingRow,
)
from service.storage.transactions import flush_or_outdated, writing

# Seconds without a sign of life, after which another process takes the work over.
_DEAD = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A move that is under way.

    Attributes:
        source: Fingerprint of the recipe that it leaves.
        target: Of the one that it goes to.
        since: When it was asked for.
        going_back: Whether it undoes one that was cancelled.
        arrived: Whether all classifiers are there; then it cannot be cancelled any more.
        error: What it waits for or failed with.
        failed: Whether it goes on only when it is asked for again.
        worker: The process that works on it.
    """

    source: str
    target: str
    since: datetime
    going_back: bool
    arrived: bool
    error: str | None
    failed: bool
    worker: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many images and classifiers there are, and how many are in the recipe already."""

    images: int
    images_done: int
    classifiers: int
    classifiers_done: int


class RecipeMoves:
    """Moves of one database. Methods block, and raise as those of a store do.

    Args:
        engine: Of the database.
        own: What its embeddings come from, but for the fingerprint.
    """

    def __init__(self, engine: Engine, own: Origin) -> None:
        self._engine = engine
        self._own = own

    def current(self) -> Move | None:
        """The move that is under way; None: none is."""
        with Session(self._engine) as session:
            row = session.scalar(select(ReEmbeddingRow))
            return None if row is None else _move(row)

    def fingerprint(self) -> str | None:
        """What classifiers are moved to, or are of; None where there are none."""
        with Session(self._engine) as session:
            target = session.scalar(select(ReEmbeddingRow.target))
            return target or session.scalar(plain_fingerprint())

    def begin(self, source: str, target: str) -> Move:
        """Ask for a move; one to the same target that is under way goes on, and is tried again.

        Raises:
            ReEmbeddingUnderWay: One to another target is.
        """
        for fingerprint in (source, target):
            remember(self._engine, self._origin(fingerprint))
        with writing(self._engine) as session:
            row = session.scalar(select(ReEmbeddingRow).with_for_update())
            if row is None:
                row = ReEmbeddingRow(id=1, source=source, target=target)
                session.add(row)
            elif row.target != target:
                raise ReEmbeddingUnderWay
            row.failed, row.error = False, None
            flush_or_outdated(session)
            announce(session, "re-embedding")
            return _move(row)

    def turn_back(self) -> Move | None:
        """Cancel the move: what has changed over goes back, by a move in the other direction.

        Returns:
            That one; None where no move can be cancelled any more.
        """
        with writing(self._engine) as session:
            row = session.scalar(select(ReEmbeddingRow).with_for_update())
            if row is None or row.arrived:
                return None
            if not row.going_back:
                row.source, row.target = row.target, row.source
                row.going_back = True
            row.failed, row.error = False, None
            announce(session, "re-embedding")
            return _move(row)

    def claim(self, worker: str, *, alone: bool = False) -> Move | None:
        """Take the work on the move, if nobody who lives has it, or go on with it.

        Args:
            worker: Who takes it.
            alone: Whether no other process uses the database: then whoever had the work is dead,
                however short its last sign of life is ago.

        Returns:
            The move as it is now; None where there is none to work on.
        """
        now = datetime.now(UTC)
        with writing(self._engine) as session:
            row = session.scalar(select(ReEmbeddingRow).with_for_update())
            if row is None or row.failed:
                return None
            alive = not alone and row.beat is not None and now - row.beat < _DEAD
            if row.worker not in (None, worker) and alive:
                return None
            row.worker, row.beat = worker, now
            return _move(row)

    def let_go(self, worker: str) -> None:
        """Leave the work to others; for a process that ends."""
        with writing(self._engine) as session:
            session.execute(
                update(ReEmbeddingRow)
                .where(ReEmbeddingRow.worker == worker)
                .values(worker=None, beat=None)
            )

    def note(self, error: str | None, *, failed: bool = False) -> None:
        """Say what the move waits for, or what it has failed with."""
        with writing(self._engine) as session:
            session.execute(update(ReEmbeddingRow).values(error=error, failed=failed))

    def progress(self, target: str) -> Progress:
        """How far a move to a recipe is."""
        with Session(self._engine) as session:
            images = session.scalar(select(func.count()).select_from(ImageRow)) or 0
            left = session.scalar(select(func.count()).select_from(lacking(target).subquery()))
            of_each = dict(
                session.execute(
                    select(ClassifierRow.fingerprint, func.count())
                    .where(ClassifierRow.prompts.is_(None))
                    .group_by(ClassifierRow.fingerprint)
                ).all()
            )
        return Progress(images, images - (left or 0), sum(of_each.values()), of_each.get(target, 0))

    def not_kept(self, target: str) -> int:
        """How many images lack embeddings in a recipe and cannot be embedded."""
        missing = lacking(target).subquery()
        with Session(self._engine) as session:
            return (
                session.scalar(
                    select(func.count())
                    .select_from(missing)
                    .outerjoin(ContentRow, ContentRow.image_id == missing.c.id)
                    .where(ContentRow.image_id.is_(None))
                )
                or 0
            )

    def arrive(self, target: str) -> bool:
        """See that all classifiers are of the recipe, and that none of another one is made.

        Returns:
            Whether they are; otherwise nothing has happened.
        """
        with writing(self._engine) as session:
            lock_backbones(session)
            if session.scalar(select(ReEmbeddingRow.target)) != target:
                return False  # it was cancelled
            others = select(ClassifierRow.id).where(
                ClassifierRow.fingerprint != target, ClassifierRow.prompts.is_(None)
            )
            if session.scalar(others.limit(1)) is not None:
                return False
            session.execute(update(ReEmbeddingRow).values(arrived=True))
            return True

    def _origin(self, fingerprint: str) -> Origin:
        return replace(self._own, fingerprint=fingerprint)


def _move(row: ReEmbeddingRow) -> Move:
    return Move(
        source=row.source,
        target=row.target,
        since=row.since,
        going_back=bool(row.going_back),
        arrived=bool(row.arrived),
        error=row.error,
        failed=bool(row.failed),
        worker=row.worker,
    )
