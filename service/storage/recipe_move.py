"""The move of a database from one recipe of its backbone to another, while services run on it.

The new embeddings are written beside the old ones, classifiers change over one by one, and then the
new embeddings take the place of the old ones. What is done is in the database at each moment, so
whoever has the database next goes on from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from service.problems import ReEmbeddingUnderWay
from service.storage.change_log import log_not_followable
from service.storage.classifier_loading import load_classifier
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin, lock_backbones, remember
from service.storage.re_embedded import Blobs, write_re_embedded
from service.storage.records import State, StoredClassifier
from service.storage.rows import tuning_columns
from service.storage.stale import StaleImage
from service.storage.statements import chunks
from service.storage.tables import (
    ClassifierRow,
    ContentRow,
    ImageRow,
    ReEmbeddedRow,
    ReEmbeddingRow,
    ViewsRow,
)
from service.storage.transactions import flush_or_outdated, writing

# Seconds without a sign of life, after which another process takes the work over.
_DEAD = timedelta(seconds=30)
# Rows that take the place of others in one transaction.
_SETTLED = 256


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
        self._loader = (
            engine.execution_options(isolation_level="REPEATABLE READ")
            if engine.dialect.name == "postgresql"
            else engine
        )

    # The move itself

    def current(self) -> Move | None:
        """The move that is under way; None: none is."""
        with Session(self._engine) as session:
            row = session.scalar(select(ReEmbeddingRow))
            return None if row is None else _move(row)

    def fingerprint(self) -> str | None:
        """What classifiers are moved to, or are of; None where there are none."""
        with Session(self._engine) as session:
            target = session.scalar(select(ReEmbeddingRow.target))
            return target or session.scalar(select(ClassifierRow.fingerprint).limit(1))

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
            return _move(row)

    def claim(self, worker: str) -> Move | None:
        """Take the work on the move, if nobody who lives has it, or go on with it.

        Returns:
            The move as it is now; None where there is none to work on.
        """
        now = datetime.now(UTC)
        with writing(self._engine) as session:
            row = session.scalar(select(ReEmbeddingRow).with_for_update())
            if row is None or row.failed:
                return None
            alive = row.beat is not None and now - row.beat < _DEAD
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
            left = session.scalar(select(func.count()).select_from(_missing(target).subquery()))
            of_each = dict(
                session.execute(
                    select(ClassifierRow.fingerprint, func.count()).group_by(
                        ClassifierRow.fingerprint
                    )
                )
                .tuples()
                .all()
            )
        return Progress(images, images - (left or 0), sum(of_each.values()), of_each.get(target, 0))

    # Embedding

    def not_kept(self, target: str) -> int:
        """How many images lack embeddings in a recipe and cannot be embedded."""
        missing = _missing(target).subquery()
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

    def missing(self, target: str, after: int, most: int) -> list[StaleImage]:
        """Images that lack embeddings in a recipe, by their ids.

        Args:
            target: Of the recipe.
            after: The last id that was seen.
            most: How many at most.
        """
        numbers: defaultdict[int, list[int]] = defaultdict(list)
        with self._loader.connect() as connection:
            found = _missing(target).where(ImageRow.id > after).order_by(ImageRow.id).limit(most)
            rows = connection.execute(found).all()
            for some in chunks([row.id for row in rows]):
                of_views = select(ViewsRow.image_id, ViewsRow.views)
                for image_id, number in connection.execute(
                    of_views.where(ViewsRow.image_id.in_(some))
                ):
                    numbers[image_id].append(number)
        return [StaleImage(row.id, row.sha256, True, tuple(numbers[row.id])) for row in rows]

    def write_embedded(
        self, target: str, embedded: Mapping[int, Mapping[int, ImageEmbeddings]]
    ) -> None:
        """Write new embeddings of a few images beside the old ones, in one transaction.

        Those of images that are gone meanwhile are left out.

        Args:
            target: What they come from.
            embedded: By the image's id and the number of views, one row each.

        Raises:
            Outdated: Somebody else has just written the same.
        """
        with writing(self._engine) as session:
            of_itself = dict(
                session.execute(
                    select(ImageRow.id, ImageRow.fingerprint)
                    .where(ImageRow.id.in_(embedded))
                    .order_by(ImageRow.id)
                    .with_for_update(key_share=True)
                )
                .tuples()
                .all()
            )
            there = {(i, 1): fingerprint for i, fingerprint in of_itself.items()}
            of_views = select(ViewsRow.image_id, ViewsRow.views, ViewsRow.fingerprint)
            for image_id, views, fingerprint in session.execute(
                of_views.where(ViewsRow.image_id.in_(embedded))
            ):
                there[image_id, views] = fingerprint
            beside = {
                (image_id, views): Blobs.of(row)
                for image_id, of_number in embedded.items()
                for views, row in of_number.items()
                if there.get((image_id, views), target) != target
            }
            write_re_embedded(session, beside, target)

    # Changing over

    def classifiers(self, target: str) -> list[str]:
        """Names of those that are not of that recipe yet."""
        with Session(self._engine) as session:
            return list(
                session.scalars(
                    select(ClassifierRow.name)
                    .where(ClassifierRow.fingerprint != target)
                    .order_by(ClassifierRow.name)
                )
            )

    def load(self, name: str, target: str) -> StoredClassifier | None:
        """A classifier as it is, with its images' embeddings in the recipe that it moves to.

        Raises:
            OtherBackbone: Some of them are not made yet.
            ClassifierDamaged: Something in it cannot be read.
        """
        with self._loader.connect() as connection:
            return load_classifier(connection, name, self._origin(target), left_by_others=True)

    def change_over(self, state: State, target: str, tuning: Tuning, behind: int | None) -> State:
        """Make a classifier one of the other recipe, as a revision of its own.

        Args:
            state: The one that was loaded with embeddings of that recipe.
            target: The recipe's.
            tuning: Of these embeddings.
            behind: How many images came or went since it was tuned; None: it is current.

        Raises:
            Outdated: It was changed meanwhile; nothing is written then.
        """
        after = state._replace(revision=state.revision + 1, fingerprint=target)
        columns = tuning_columns(tuning, target) | {"updated_at": ClassifierRow.updated_at}
        if behind is not None:
            columns |= {"tuning_is_current": False, "images_behind": behind}
        with writing(self._engine) as session:
            changed = session.execute(
                update(ClassifierRow)
                .where(
                    ClassifierRow.id == state.id,
                    ClassifierRow.fingerprint == state.fingerprint,
                    ClassifierRow.created_at == state.created_at,
                    ClassifierRow.revision == state.revision,
                )
                .values(revision=after.revision, **columns)
            )
            if cast("CursorResult[Any]", changed).rowcount == 0:
                raise Outdated
            log_not_followable(session, state.id, after.revision)
        return after

    # The end

    def arrive(self, target: str) -> bool:
        """See that all classifiers are of the recipe, and that none of another one is made.

        Returns:
            Whether they are; otherwise nothing has happened.
        """
        with writing(self._engine) as session:
            lock_backbones(session)
            if session.scalar(select(ReEmbeddingRow.target)) != target:
                return False  # it was cancelled
            others = select(ClassifierRow.id).where(ClassifierRow.fingerprint != target).limit(1)
            if session.scalar(others) is not None:
                return False
            session.execute(update(ReEmbeddingRow).values(arrived=True))
            return True

    def settle(self, target: str) -> bool:
        """Let some of the new embeddings take the place of the old ones, in one transaction.

        Returns:
            Whether some are left; otherwise the move is over.
        """
        with writing(self._engine) as session:
            rows = session.scalars(
                select(ReEmbeddedRow)
                .order_by(ReEmbeddedRow.image_id, ReEmbeddedRow.views)
                .limit(_SETTLED)
            ).all()
            for row in rows:
                if row.fingerprint == target:
                    which = (
                        update(ImageRow).where(ImageRow.id == row.image_id)
                        if row.views == 1
                        else update(ViewsRow).where(
                            ViewsRow.image_id == row.image_id, ViewsRow.views == row.views
                        )
                    )
                    session.execute(
                        which.values(fingerprint=target, frozen=row.frozen, corrected=row.corrected)
                    )
                session.execute(
                    delete(ReEmbeddedRow).where(
                        ReEmbeddedRow.image_id == row.image_id, ReEmbeddedRow.views == row.views
                    )
                )
            if not rows:
                session.execute(delete(ReEmbeddingRow))
            return bool(rows)

    def contents(self, image_ids: list[int]) -> dict[int, bytes]:
        """The bytes of images that are still there, by their ids."""
        with Session(self._engine) as session:
            found = select(ContentRow.image_id, ContentRow.content)
            return dict(
                session.execute(found.where(ContentRow.image_id.in_(image_ids))).tuples().all()
            )

    def _origin(self, fingerprint: str) -> Origin:
        return replace(self._own, fingerprint=fingerprint)


def _missing(target: str) -> Any:
    """Images with a row of another fingerprint, beside which there is none of this one."""
    itself, of_views = aliased(ReEmbeddedRow), aliased(ReEmbeddedRow)
    lacking = (
        select(ViewsRow.image_id)
        .outerjoin(
            of_views,
            and_(
                of_views.image_id == ViewsRow.image_id,
                of_views.views == ViewsRow.views,
                of_views.fingerprint == target,
            ),
        )
        .where(ViewsRow.fingerprint != target, of_views.image_id.is_(None))
    )
    return (
        select(ImageRow.id, ImageRow.sha256)
        .outerjoin(
            itself,
            and_(
                itself.image_id == ImageRow.id,
                itself.views == 1,
                itself.fingerprint == target,
            ),
        )
        .where(
            or_(
                and_(ImageRow.fingerprint != target, itself.image_id.is_(None)),
                ImageRow.id.in_(lacking),
            )
        )
    )


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
