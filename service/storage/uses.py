"""Where the service shows what a row is of: paths of classifiers, classes, images and prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from sqlalchemy import Connection, select

from service.storage.tables import (
    ClassifierRow,
    ClassRow,
    RememberedContentRow,
    RememberedRow,
    SupportRow,
    TrainedPromptsRow,
)
from service.tenancy import bare, tenant_of

# Tables whose first key is an image's id, or that of a remembered query.
_OF_IMAGES = {"images", "image_views", "re_embedded", "prompted_embeddings", "image_contents"}
_OF_REMEMBERED = {RememberedRow.__tablename__, RememberedContentRow.__tablename__}
# Of a row.
_MOST = 20


def uses_of_image(connection: Connection, image_id: int) -> list[str]:
    """A path for each class that an image supports."""
    return [path for path, _ in _of_image(connection, image_id)]


def uses_of(connection: Connection, table: str, key: Sequence[int | str]) -> list[str]:
    """Paths of what a row of a table belongs to, some of them; none where that is not known.

    For operators, so each with its tenant, if it has one: paths of two tenants may be the same.
    """
    found = list(_of_row(connection, table, key))[:_MOST] if key else []
    return [f"{path} (tenant {tenant})" if tenant else path for path, tenant in found]


def _of_image(connection: Connection, image_id: int) -> list[tuple[str, str]]:
    """Paths with their tenants."""
    rows = connection.execute(
        select(ClassifierRow.name, ClassRow.label, SupportRow.public_id)
        .join(ClassRow, ClassRow.classifier_id == ClassifierRow.id)
        .join(SupportRow, SupportRow.class_id == ClassRow.id)
        .where(SupportRow.image_id == image_id)
        .order_by(SupportRow.id)
    )
    return [
        _of_classifier(name, f"/classes/{quote(label, safe='')}/images/{public_id}")
        for name, label, public_id in rows
    ]


def _of_row(
    connection: Connection, table: str, key: Sequence[int | str]
) -> Iterable[tuple[str, str]]:
    if table in _OF_IMAGES and isinstance(key[0], int):
        return _of_image(connection, key[0])
    if table in _OF_REMEMBERED:
        asked = (
            select(ClassifierRow.name, RememberedRow.public_id)
            .join(RememberedRow, RememberedRow.classifier_id == ClassifierRow.id)
            .where(RememberedRow.id == key[0])
        )
        rows = connection.execute(asked)
        return [_of_classifier(name, f"/inbox/{public_id}") for name, public_id in rows]
    if table == TrainedPromptsRow.__tablename__:
        prompts = select(TrainedPromptsRow.name, TrainedPromptsRow.tenant)
        rows = connection.execute(prompts.where(TrainedPromptsRow.id == key[0]))
        return [(f"/v1/prompts/{name}", tenant) for name, tenant in rows]
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
    return map(_of_classifier, connection.scalars(found))


def _of_classifier(name: str, below: str = "") -> tuple[str, str]:
    return f"/v1/classifiers/{bare(name)}{below}", tenant_of(name)
