"""Reading and writing of what must survive. Every write is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, Delete, Engine, Update, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from torch import Tensor

from adapters.heads import Tuning
from service.problems import InvalidUpload
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin, other_backbone, remember
from service.storage.listing import listed, listed_one
from service.storage.loading import load_classifier
from service.storage.records import (
    ClassifierRecord,
    ClassifierSettings,
    NewImage,
    State,
    StoredClassifier,
    SupportRecord,
    Written,
)
from service.storage.rows import (
    blob,
    class_record,
    settings_columns,
    support_record,
)
from service.storage.statements import DELETE_UNUSED_IMAGES, STATE, next_revision
from service.storage.tables import (
    BackboneRow,
    ClassifierRow,
    ClassRow,
    ContentRow,
    ImageRow,
    SupportRow,
)
from service.storage.transactions import writing

# Identifiers in one IN (...): databases limit the parameters of a statement.
_CHUNK = 500
_T = TypeVar("_T")


class Store:
    """All that is kept, under one backbone's fingerprint.

    Methods are blocking and thread-safe. What a method has written is on the disk when it
    returns; if it raises, nothing of it is. All raise ``StorageUnavailable`` where the database
    cannot be used, and ``OtherBackbone`` instead of mixing embeddings; those that write raise
    ``StorageFull``.

    Args:
        engine: Of ``open_database``.
        own: What the embeddings of this service come from.
    """

    def __init__(self, engine: Engine, own: Origin) -> None:
        self._engine = engine
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

    def create(
        self,
        name: str,
        settings: ClassifierSettings,
        tuning: Tuning,
        classes: Sequence[tuple[str, Tensor | None]],
    ) -> None:
        """Write a new classifier with classes that have no images yet.

        Raises:
            Outdated: There is one of that name.
        """
        with writing(self._engine) as session:
            # Another backbone's would keep both services from starting again. Where two make
            # their first ones at the same time, the second waits here and sees the first.
            session.execute(
                select(BackboneRow.fingerprint)
                .order_by(BackboneRow.fingerprint)
                .with_for_update(key_share=True)
            )
            other = session.scalar(
                select(ClassifierRow.fingerprint)
                .where(ClassifierRow.fingerprint != self.fingerprint)
                .limit(1)
            )
            if other is not None:
                raise other_backbone(session.connection(), "The database holds", other, self._own)
            row = ClassifierRow(
                name=name, **settings_columns(settings), **self._tuning_columns(tuning)
            )
            session.add(row)
            _flush(session)
            session.add_all(
                ClassRow(classifier_id=row.id, label=label, text_embedding=blob(text))
                for label, text in classes
            )

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

    # What a classifier consists of

    def change(
        self,
        classifier_id: int,
        tuning: Tuning,
        *,
        settings: ClassifierSettings | None = None,
        texts: Sequence[tuple[int, Tensor | None]] = (),
        new_classes: Sequence[tuple[str, Tensor | None]] = (),
        new_images: Sequence[NewImage] = (),
        gone_classes: Sequence[int] = (),
        gone_images: Sequence[int] = (),
        state: State | None = None,
    ) -> Written:
        """Write one change of a classifier, whole or not at all.

        Args:
            classifier_id: Whose change it is.
            tuning: What the support set asks for after the change.
            settings: New settings, if they change.
            texts: New text embeddings of classes that stay, by class id.
            new_classes: Labels and text embeddings.
            new_images: Support images; their labels are old classes or among the new ones.
            gone_classes: Class ids; their images go with them.
            gone_images: Support ids.
            state: The one that the change was made for; None: whatever it is.

        Raises:
            Outdated: It is in another state, or gone; nothing is written then.
        """
        frees = bool(gone_classes or gone_images) and not new_images
        with writing(self._engine, frees=frees) as session:
            columns = self._tuning_columns(tuning)
            if settings is not None:
                columns |= settings_columns(settings)
            # First of all: other writers of this classifier wait here until this change is whole.
            following = next_revision(classifier_id, state, self.fingerprint)
            if not _touched(session, following.values(**columns)):
                raise self._not_changed(session, classifier_id)
            now = session.scalars(
                select(ClassifierRow.revision).where(ClassifierRow.id == classifier_id)
            ).one()
            for class_id, text in texts:
                session.execute(
                    update(ClassRow)
                    .where(ClassRow.id == class_id)
                    .values(text_embedding=blob(text))
                )
            if gone_classes:
                session.execute(delete(ClassRow).where(ClassRow.id.in_(gone_classes)))
            for some in _chunks(list(gone_images)):
                session.execute(delete(SupportRow).where(SupportRow.id.in_(some)))
            if gone_classes or gone_images:
                session.execute(DELETE_UNUSED_IMAGES)
            class_rows = [
                ClassRow(classifier_id=classifier_id, label=label, text_embedding=blob(text))
                for label, text in new_classes
            ]
            session.add_all(class_rows)
            session.flush()
            support = self._write_images(session, classifier_id, new_images)
            return Written(now, [class_record(row) for row in class_rows], support)

    def content(self, support_id: int) -> bytes | None:
        """The bytes of a support image; None if they were not kept."""
        with Session(self._engine) as session:
            return session.scalar(
                select(ContentRow.content)
                .join(SupportRow, SupportRow.image_id == ContentRow.image_id)
                .where(SupportRow.id == support_id)
            )

    def _write_images(
        self, session: Session, classifier_id: int, images: Sequence[NewImage]
    ) -> list[SupportRecord]:
        if not images:
            return []
        labels = select(ClassRow.label, ClassRow.id).where(ClassRow.classifier_id == classifier_id)
        class_ids = {row.label: row.id for row in session.execute(labels)}
        known: dict[str, ImageRow] = {}
        for some in _chunks(sorted({image.sha256 for image in images})):
            for row in session.scalars(select(ImageRow).where(ImageRow.sha256.in_(some))):
                if row.fingerprint != self.fingerprint:
                    raise other_backbone(
                        session.connection(),
                        "An image of the request is stored already, and has",
                        row.fingerprint,
                        self._own,
                    )
                known[row.sha256] = row
        for image in images:
            if image.sha256 not in known:
                known[image.sha256] = ImageRow(
                    sha256=image.sha256,
                    media_type=image.media_type,
                    width=image.width,
                    height=image.height,
                    fingerprint=self.fingerprint,
                    frozen=blob(image.embeddings.frozen),
                    corrected=blob(image.embeddings.corrected),
                )
                session.add(known[image.sha256])
        _flush(session)
        self._write_contents(session, images, known)
        rows = [
            SupportRow(
                public_id=image.public_id,
                class_id=class_ids[image.label],
                image_id=known[image.sha256].id,
                filename=_storable(image.filename),
            )
            for image in images
        ]
        session.add_all(rows)
        session.flush()
        return [
            support_record(row, known[image.sha256])
            for row, image in zip(rows, images, strict=True)
        ]

    def _write_contents(
        self, session: Session, images: Sequence[NewImage], known: dict[str, ImageRow]
    ) -> None:
        """Keep the bytes of images that have none yet: they may have come while not kept."""
        contents = {
            known[image.sha256].id: image.content for image in images if image.content is not None
        }
        kept: set[int] = set()
        for some in _chunks(list(contents)):
            kept |= set(
                session.scalars(select(ContentRow.image_id).where(ContentRow.image_id.in_(some)))
            )
        for image_id, read in contents.items():
            if image_id not in kept:
                # One after the other, so that those of an archive are never all in memory.
                session.execute(insert(ContentRow).values(image_id=image_id, content=read()))

    def _tuning_columns(self, tuning: Tuning) -> dict[str, Any]:
        return {"tuning": tuning.as_dict(), "fingerprint": self.fingerprint}

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


def _flush(session: Session) -> None:
    """Write rows of which there is one for each name or content.

    Raises:
        Outdated: Somebody else has just written the same.
    """
    try:
        session.flush()
    except IntegrityError as error:
        raise Outdated from error


def _storable(filename: str) -> str:
    """A file name as every database takes it: PostgreSQL has no NUL, none has half a character.

    Raises:
        InvalidUpload: It is not.
    """
    if "\0" in filename or any("\ud800" <= char <= "\udfff" for char in filename):
        raise InvalidUpload(
            f"The file name {filename!r} holds a character that cannot be stored. Send the file "
            "under another name."
        )
    return filename


def _chunks(items: list[_T]) -> list[list[_T]]:
    return [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
