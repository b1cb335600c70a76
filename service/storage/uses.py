"""Where the service shows what a row is of: paths of classifiers, classes and support images."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from sqlalchemy import Connection, select

from service.storage.tables import ClassifierRow, ClassRow, SupportRow
from service.tenancy import bare

# Tables whose first key is an image's id.
_OF_IMAGES = {"images", "image_views", "re_embedded", "prompted_embeddings", "image_contents"}
# Of a row that is not an image's.
_MOST = 20


def uses_of_image(connection: Connection, image_id: int) -> list[str]:
    """A path for each class that an image supports."""
    rows = connection.execute(
        select(ClassifierRow.name, ClassRow.label, SupportRow.public_id)
        .join(ClassRow, ClassRow.classifier_id == ClassifierRow.id)
        .join(SupportRow, SupportRow.class_id == ClassRow.id)
        .where(SupportRow.image_id == image_id)
        .order_by(SupportRow.id)
    )
    return [
        f"/v1/classifiers/{bare(name)}/classes/{quote(label, safe='')}/images/{public_id}"
        for name, label, public_id in rows
    ]


def uses_of(connection: Connection, table: str, key: Sequence[int | str]) -> list[str]:
    """Paths of what a row of a table belongs to, some of them; none where that is not known."""
    if not key:
        return []
    if table in _OF_IMAGES and isinstance(key[0], int):
        return uses_of_image(connection, key[0])[:_MOST]
    names = select(ClassifierRow.name)
    if table == ClassifierRow.__tablename__:
        found = names.where(ClassifierRow.id == key[0])
    elif table == ClassRow.__tablename__:
        found = names.join(ClassRow, ClassRow.classifier_id == ClassifierRow.id).where(
            ClassRow.id == key[0]
        )
    elif table == SupportRow.__tablename__:
        found = (
            names.join(ClassRow, ClassRow.classifier_id == ClassifierRow.id)
            .join(SupportRow, SupportRow.class_id == ClassRow.id)
            .where(SupportRow.id == key[0])
        )
    else:
        return []
    return [f"/v1/classifiers/{bare(name)}" for name in connection.scalars(found)]
