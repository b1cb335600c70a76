"""A classifier as it is stored, whole, in a few statements: it is loaded again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

from sqlalchemy import Connection, bindparam, select

from service.problems import ClassifierDamaged
from service.storage.errors import Damaged
from service.storage.fingerprints import Origin, other_backbone, refused
from service.storage.loaded_rows import CLASSES, loaded_classes, loaded_support, support_of
from service.storage.records import ClassifierRecord, ClassRecord, StoredClassifier
from service.storage.rows import classifier_record
from service.storage.tables import ClassifierRow, ClassRow, SupportRow
from service.tenancy import bare

# Columns rather than objects of the mapping, which would cost several times as much to make.
_CLASSIFIER = select(*ClassifierRow.__table__.columns).where(
    ClassifierRow.name == bindparam("name")
)
_OF_IT = ClassRow.classifier_id == bindparam("classifier_id")
_CLASSES = CLASSES.where(_OF_IT).order_by(ClassRow.id)


def load_classifier(
    connection: Connection,
    name: str,
    own: Origin,
    accepts: Callable[[str], bool] = refused,
    *,
    left_by_others: bool = False,
) -> StoredClassifier | None:
    """A classifier with its classes, support images and embeddings, or None.

    Args:
        connection: In a transaction that sees one state of the database.
        name: The classifier's.
        own: Whose embeddings are asked for.
        accepts: Whether a classifier of another fingerprint is given with embeddings of that.
        left_by_others: Whether the classifier's texts and tuning may be those of another backbone,
            to be made anew; its images may not.

    Raises:
        OtherBackbone: Another one embedded it, or images of it.
        ClassifierDamaged: Something in it cannot be read.
    """
    try:
        return _load(connection, name, own, accepts, left_by_others=left_by_others)
    except Damaged as error:
        raise ClassifierDamaged(name, str(error)) from error


def _load(
    connection: Connection,
    name: str,
    own: Origin,
    accepts: Callable[[str], bool],
    *,
    left_by_others: bool,
) -> StoredClassifier | None:
    row = connection.execute(_CLASSIFIER, {"name": name}).one_or_none()
    if row is None:
        return None
    if row.fingerprint != own.fingerprint and not left_by_others:
        if not accepts(row.fingerprint):
            raise other_backbone(
                connection, f"Classifier {bare(name)!r} holds", row.fingerprint, own
            )
        beside = None if row.prompts is None else own.fingerprint
        own = replace(own, fingerprint=row.fingerprint, beside=beside)
    whose = {"classifier_id": row.id}
    class_rows = connection.execute(_CLASSES, whose).all()
    images = support_of(row.support_views).join(ClassRow, SupportRow.class_id == ClassRow.id)
    found = connection.execute(images.where(_OF_IT), {**whose, "views": row.support_views})
    # Sorted here: the database would carry the embeddings along.
    rows = sorted(found.all(), key=attrgetter("id"))
    support, embeddings = loaded_support(connection, rows, row.support_views, name, own)
    return StoredClassifier(
        record=classifier_record(row, len(class_rows), len(rows)),
        classes=loaded_classes(class_rows),
        support=support,
        embeddings=embeddings,
    )


def loaded_record(connection: Connection, name: str) -> ClassifierRecord | None:
    """The row of a classifier, without its classes and images counted; None: there is none.

    Raises:
        ClassifierDamaged: Something in it cannot be read.
    """
    row = connection.execute(_CLASSIFIER, {"name": name}).one_or_none()
    if row is None:
        return None
    try:
        return classifier_record(row, 0, 0)
    except Damaged as error:
        raise ClassifierDamaged(name, str(error)) from error


def classes_of(connection: Connection, classifier_id: int) -> list[ClassRecord]:
    """Classes of a classifier, in the order of their registration."""
    return loaded_classes(connection.execute(_CLASSES, {"classifier_id": classifier_id}).all())
