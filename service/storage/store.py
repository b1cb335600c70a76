"""Reading and writing of what must survive. Every write is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, Delete, Engine, Update, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from torch import Tensor

from adapters.heads import Tuning
from service.storage.loading import classifier_record, embedding_rows, load_classifier
from service.storage.records import (
    ClassifierRecord,
    ClassifierSettings,
    ClassRecord,
    NewImage,
    State,
    StoredClassifier,
    SupportRecord,
    Written,
)
from service.storage.statements import DELETE_UNUSED_IMAGES, LISTING, STATE, next_revision
from service.storage.tables import (
    BackboneRow,
    ClassifierRow,
    ClassRow,
    ContentRow,
    ImageRow,
    SupportRow,
)

# Identifiers in one IN (...): databases limit the parameters of a statement.
_CHUNK = 500
_T = TypeVar("_T")


class Outdated(RuntimeError):
    """Another process was quicker: what a change began with is not the latest state."""


class Store:
    """All that is kept, under one backbone's fingerprint.

    Methods are blocking and thread-safe. What a method has written is on the disk when it
    returns; if it raises, nothing of it is.
    """

    def __init__(self, engine: Engine, fingerprint: str, backbone: str) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self.fingerprint = fingerprint
        with Session(self._writer) as session, session.begin():
            session.merge(BackboneRow(fingerprint=fingerprint, name=backbone))

    # Classifiers

    def classifiers(self) -> list[ClassifierRecord]:
        """All classifiers by name."""
        with Session(self._engine) as session:
            return [classifier_record(*row) for row in session.execute(LISTING)]

    def classifier(self, name: str) -> ClassifierRecord | None:
        """One classifier, or None."""
        with Session(self._engine) as session:
            row = session.execute(LISTING.where(ClassifierRow.name == name)).one_or_none()
            return classifier_record(*row) if row else None

    def load(self, name: str) -> StoredClassifier | None:
        """A classifier with its classes, support images and embeddings, or None."""
        with self._engine.connect() as connection:
            return load_classifier(connection, name)

    def state(self, name: str) -> State | None:
        """Which state a classifier is in, or None; costs one row."""
        with self._engine.connect() as connection:
            row = connection.execute(STATE, {"name": name}).one_or_none()
            return row and State(*row)

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
        with Session(self._writer) as session, session.begin():
            row = ClassifierRow(
                name=name, **_settings_columns(settings), **self._tuning_columns(tuning)
            )
            session.add(row)
            _flush(session)
            session.add_all(
                ClassRow(classifier_id=row.id, label=label, text_embedding=blob(text))
                for label, text in classes
            )

    def delete_classifier(self, classifier_id: int) -> None:
        """Delete a classifier with its classes and the images that nothing else uses.

        Raises:
            Outdated: It is gone already.
        """
        with Session(self._writer) as session, session.begin():
            _execute(session, delete(ClassifierRow).where(ClassifierRow.id == classifier_id))
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
        with Session(self._writer) as session, session.begin():
            columns = self._tuning_columns(tuning)
            if settings is not None:
                columns |= _settings_columns(settings)
            # First of all: other writers of this classifier wait here until this change is whole.
            _execute(session, next_revision(classifier_id, state).values(**columns))
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
            return Written(now, [_class(row) for row in class_rows], support)

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
                filename=image.filename,
            )
            for image in images
        ]
        session.add_all(rows)
        session.flush()
        return [_support(row, known[image.sha256]) for row, image in zip(rows, images, strict=True)]

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
        return {"tuning": asdict(tuning), "fingerprint": self.fingerprint}


def _execute(session: Session, statement: Update | Delete) -> None:
    """Change or delete a classifier's row.

    Raises:
        Outdated: Somebody else has just done so, and there is no such row.
    """
    if cast("CursorResult[Any]", session.execute(statement)).rowcount == 0:
        raise Outdated


def _flush(session: Session) -> None:
    """Write rows of which there is one for each name or content.

    Raises:
        Outdated: Somebody else has just written the same.
    """
    try:
        session.flush()
    except IntegrityError as error:
        raise Outdated from error


def _class(row: ClassRow) -> ClassRecord:
    text = None if row.text_embedding is None else embedding_rows([row.text_embedding])[0]
    return ClassRecord(row.id, row.label, row.created_at, text)


def _support(row: SupportRow, image: ImageRow) -> SupportRecord:
    return SupportRecord(
        row.id,
        row.public_id,
        row.class_id,
        row.filename,
        image.sha256,
        image.media_type,
        image.width,
        image.height,
        row.created_at,
    )


def _settings_columns(settings: ClassifierSettings) -> dict[str, Any]:
    return {
        "method": settings.method,
        "templates": list(settings.templates),
        "names_carry_meaning": settings.names_carry_meaning,
        "false_rejection_rate": settings.false_rejection_rate,
        "coverage": settings.coverage,
    }


def _chunks(items: list[_T]) -> list[list[_T]]:
    return [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]


def blob(row: Tensor | None) -> Any:
    """An embedding as stored: little-endian float32."""
    return None if row is None else row.numpy().astype("<f4").tobytes()
