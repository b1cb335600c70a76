"""Pictures to be shown: found by their ids, whichever classifier is in memory; and which are left.

Costs one row by its index, and reads neither embeddings nor bytes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Engine, bindparam, select

from service.storage.records import PUBLIC_ID
from service.storage.statements import chunks
from service.storage.tables import (
    ClassifierRow,
    ClassRow,
    ContentRow,
    ImageRow,
    RememberedRow,
    SupportRow,
)
from service.tenancy import bare, qualified, tenant_of


class StoredPicture(NamedTuple):
    """A picture of a classifier.

    Attributes:
        row: Of the support image, or of the remembered query.
        content_key: Its SHA-256, qualified by the tenant.
        is_kept: Whether its bytes are.
    """

    row: int
    content_key: str
    is_kept: bool


# Made once: that is most of their cost.
_NAME: BindParameter[str] = bindparam("name")
_ID: BindParameter[str] = bindparam("public_id")
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_OF_SUPPORT = (
    select(SupportRow.id, ImageRow.content_key, ContentRow.image_id.is_not(None))
    .join(ImageRow, ImageRow.id == SupportRow.image_id)
    .join(ClassRow, ClassRow.id == SupportRow.class_id)
    .join(ClassifierRow, ClassifierRow.id == ClassRow.classifier_id)
    .outerjoin(ContentRow, ContentRow.image_id == SupportRow.image_id)
    .where(SupportRow.public_id == _ID, ClassifierRow.name == _NAME)
)
_OF_REMEMBERED = (
    select(RememberedRow.id, RememberedRow.sha256, RememberedRow.size > 0)
    .join(ClassifierRow, ClassifierRow.id == RememberedRow.classifier_id)
    .where(RememberedRow.public_id == _ID, ClassifierRow.name == _NAME)
)
_IMAGES = select(ImageRow.content_key).where(ImageRow.content_key.in_(_SOME))
_REMEMBERED = (
    select(ClassifierRow.tenant, RememberedRow.sha256)
    .join(ClassifierRow, ClassifierRow.id == RememberedRow.classifier_id)
    .where(RememberedRow.sha256.in_(_SOME))
)


def support_picture(engine: Engine, name: str, public_id: str) -> StoredPicture | None:
    """A support image of a classifier, or None."""
    return _found(engine, _OF_SUPPORT, name, public_id)


def remembered_picture(engine: Engine, name: str, public_id: str) -> StoredPicture | None:
    """The picture of a query that a classifier remembers, or None."""
    found = _found(engine, _OF_REMEMBERED, name, public_id)
    if found is None:
        return None
    return found._replace(content_key=qualified(tenant_of(name), found.content_key))


def _found(engine: Engine, statement: Any, name: str, public_id: str) -> StoredPicture | None:
    if not PUBLIC_ID.fullmatch(public_id):
        return None
    with engine.connect() as connection:
        asked = {"name": name, "public_id": public_id}
        row = connection.execute(statement, asked).one_or_none()
    return None if row is None else StoredPicture(row[0], row[1], bool(row[2]))


def stored_pictures(engine: Engine, content_keys: Collection[str]) -> set[str]:
    """Those of some pictures that the database has, in classes, history or inboxes."""
    left = set(content_keys)
    with engine.connect() as connection:
        for some in chunks(sorted(left)):
            left.difference_update(connection.scalars(_IMAGES, {"some": some}))
        # Few: what is not remembered either is about to be forgotten.
        for some in chunks(sorted({bare(one) for one in left})):
            rows = connection.execute(_REMEMBERED, {"some": some})
            left.difference_update(qualified(tenant, sha256) for tenant, sha256 in rows)
    return set(content_keys) - left
