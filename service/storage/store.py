"""The repository of classifiers: each read sees one state, each write is one transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Engine, Update, delete, select
from sqlalchemy.orm import Session

from service.storage.change import Change, Written
from service.storage.classifier_loading import load_classifier
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin, check_no_other, other_backbone, remember
from service.storage.importing import WholeClassifier, write_whole
from service.storage.listing import listed, listed_one
from service.storage.records import ClassifierRecord, State, StoredClassifier
from service.storage.rows import blob, class_record, settings_columns, tuning_columns
from service.storage.statements import DELETE_UNUSED_IMAGES, STATE, chunks, next_revision
from service.storage.support_rows import write_support, write_texts
from service.storage.tables import ClassifierRow, ClassRow, ContentRow, SupportRow
from service.storage.transactions import flush_or_outdated, writing


class Store:
    """All that is kept, under one backbone's fingerprint.

    Methods are blocking and thread-safe. What a method has written is on the disk when it
    returns; if it raises, nothing of it is. All raise ``StorageUnavailable`` where the database
    cannot be used, and ``OtherBackbone`` instead of mixing embeddings; those that write raise
    ``StorageFull``.

    Args:
        engine: Of ``open_database``.
        own: What the embeddings of this service come from.
        store_images: Whether the bytes of images are kept from now on.
    """

    def __init__(self, engine: Engine, own: Origin, *, store_images: bool = True) -> None:
        self._engine = engine
        self._store_images = store_images
        # Several statements read one classifier: all must see the same state of it. SQLite's
        # transactions do by themselves.
        self._loader = (
            engine.execution_options(isolation_level="REPEATABLE READ")
            if engine.dialect.name == "postgresql"
            else engine
        )
        self.fingerprint = own.fingerprint
        self._own = own
        remember(engine, own)

    @property
    def origin(self) -> Origin:
        """What the embeddings of this service come from."""
        return self._own

    # Classifiers

    def classifiers(self) -> list[ClassifierRecord]:
        """All classifiers by name."""
        with Session(self._engine) as session:
            return listed(session, self.fingerprint)

    def classifier(self, name: str) -> ClassifierRecord | None:
        """One classifier, or None."""
        with Session(self._engine) as session:
            found = session.scalar(select(ClassifierRow.id).where(ClassifierRow.name == name))
            return None if found is None else listed_one(session, self.fingerprint, found)

    def load(self, name: str) -> StoredClassifier | None:
        """A classifier with its classes, support images and embeddings, or None.

        Raises:
            ClassifierDamaged: Something in it cannot be read.
        """
        with self._loader.connect() as connection:
            return load_classifier(connection, name, self._own)

    def state(self, name: str) -> State | None:
        """Which state a classifier is in, or None; costs one row."""
        with self._engine.connect() as connection:
            row = connection.execute(STATE, {"name": name}).one_or_none()
            if row is None:
                return None
            if row.fingerprint != self.fingerprint:
                what = f"Classifier {name!r} holds"
                raise other_backbone(connection, what, row.fingerprint, self._own)
            return State(row.id, row.created_at, row.revision)

    def find(self, name: str) -> int | None:
        """The id of a classifier, in whatever condition it is; None if there is none."""
        with self._engine.connect() as connection:
            return connection.scalar(select(ClassifierRow.id).where(ClassifierRow.name == name))

    def create(self, name: str, change: Change) -> None:
        """Write a new classifier: a change of nothing, with settings, without images.

        Raises:
            Outdated: There is one of that name.
        """
        with writing(self._engine) as session:
            check_no_other(session, self._own)
            row = ClassifierRow(name=name, **self._columns(change))
            session.add(row)
            flush_or_outdated(session)
            session.add_all(_class_rows(row.id, change))

    def create_whole(self, name: str, whole: WholeClassifier) -> None:
        """Write a new classifier with its images, in one transaction.

        Raises as :func:`service.storage.importing.write_whole`.
        """
        with writing(self._engine) as session:
            write_whole(session, name, whole, self._own, keep=self._store_images)

    def delete_classifier(self, classifier_id: int, name: str | None = None) -> None:
        """Delete a classifier with its classes and the images that nothing else uses.

        Args:
            classifier_id: Which.
            name: The one that it must still have: ids are given again.

        Raises:
            Outdated: It is gone already.
        """
        which = delete(ClassifierRow).where(ClassifierRow.id == classifier_id)
        if name is not None:
            which = which.where(ClassifierRow.name == name)
        with writing(self._engine, frees=True) as session:
            if not _touched(session, which):
                raise Outdated
            session.execute(DELETE_UNUSED_IMAGES)

    def write(self, state: State, change: Change) -> Written:
        """Write one change of a classifier, whole or not at all.

        Args:
            state: The one that the change was made for.
            change: With its tuning.

        Returns:
            The change with the identifiers of what was added.

        Raises:
            Outdated: The classifier is in another state, or gone; nothing is written then.
        """
        deletes = bool(change.classes_removed or change.removed)
        with writing(self._engine, frees=deletes and not change.added) as session:
            # First of all: other writers of this classifier wait here until this change is whole.
            following = next_revision(state, self.fingerprint)
            if not _touched(session, following.values(**self._columns(change))):
                raise self._not_changed(session, state.id)
            now = session.scalars(
                select(ClassifierRow.revision).where(ClassifierRow.id == state.id)
            ).one()
            write_texts(session, change.classes_renewed)
            if change.classes_removed:
                session.execute(delete(ClassRow).where(ClassRow.id.in_(change.classes_removed)))
            for some in chunks(change.removed):
                session.execute(delete(SupportRow).where(SupportRow.id.in_(some)))
            if deletes:
                session.execute(DELETE_UNUSED_IMAGES)
            rows = _class_rows(state.id, change)
            session.add_all(rows)
            session.flush()
            return Written(
                change=change,
                revision=now,
                classes=[class_record(row) for row in rows],
                support=write_support(
                    session, state.id, change.added, self._own, keep=self._store_images
                ),
            )

    def content(self, support_id: int) -> bytes | None:
        """The bytes of a support image; None if they were not kept."""
        with Session(self._engine) as session:
            return session.scalar(
                select(ContentRow.content)
                .join(SupportRow, SupportRow.image_id == ContentRow.image_id)
                .where(SupportRow.id == support_id)
            )

    def kept_images(self, public_ids: Collection[str]) -> set[str]:
        """Those of some hundred support images whose bytes were kept; reads none of the bytes."""
        with Session(self._engine) as session:
            return set(
                session.scalars(
                    select(SupportRow.public_id)
                    .join(ContentRow, SupportRow.image_id == ContentRow.image_id)
                    .where(SupportRow.public_id.in_(public_ids))
                )
            )

    def _columns(self, change: Change) -> dict[str, Any]:
        """Columns of a classifier's row that a change sets."""
        columns = tuning_columns(change.tuning, self.fingerprint)
        if change.settings is not None:
            columns |= settings_columns(change.settings)
        return columns

    def _not_changed(self, session: Session, classifier_id: int) -> Exception:
        """Why a change did not find the state that it was made for."""
        found = session.execute(
            select(ClassifierRow.name, ClassifierRow.fingerprint).where(
                ClassifierRow.id == classifier_id
            )
        ).one_or_none()
        if found is None or found.fingerprint == self.fingerprint:
            return Outdated()
        what = f"Classifier {found.name!r} holds"
        return other_backbone(session.connection(), what, found.fingerprint, self._own)


def _touched(session: Session, statement: Update | Delete) -> bool:
    """Change or delete a classifier's row; returns whether there was one."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount != 0


def _class_rows(classifier_id: int, change: Change) -> list[ClassRow]:
    return [
        ClassRow(classifier_id=classifier_id, label=new.label, text_embedding=blob(new.text))
        for new in change.classes_added
    ]
