"""Rows of support images and of their classes' texts, within a transaction that writes a change."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, select
from sqlalchemy.orm import Session

from service.images.embedded import EmbeddedImage, SupportImage
from service.problems import InvalidUpload
from service.storage.change import Identity
from service.storage.deleting import letting_go
from service.storage.fingerprints import Origin
from service.storage.image_rows import write_contents, write_images
from service.storage.records import SupportRecord
from service.storage.statements import chunks
from service.storage.tables import ClassRow, SupportRow, table_of

# Made once, and of tables where no mapped object is needed: that is most of their cost.
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_CLASSES, _SUPPORT = table_of(ClassRow).c, table_of(SupportRow)
_CLASS_IDS = select(_CLASSES.label, _CLASSES.id).where(
    _CLASSES.classifier_id == bindparam("classifier_id"), _CLASSES.label.in_(_SOME)
)
_ADD = insert(_SUPPORT)
_IDS = select(_SUPPORT.c.public_id, _SUPPORT.c.id).where(_SUPPORT.c.public_id.in_(_SOME))

NO_IDENTITIES: Mapping[int, Identity] = MappingProxyType({})
# Of the column; the end of a longer name tells more than its beginning.
_MAX_FILENAME = 255


def write_support(
    session: Session,
    tenant: str,
    classifier_id: int,
    images: Sequence[SupportImage],
    own: Origin,
    *,
    keep: bool,
    identities: Mapping[int, Identity] = NO_IDENTITIES,
    revision: int = 0,
) -> list[SupportRecord]:
    """Write support images of a classifier; each content is stored once, whatever it supports.

    Args:
        session: Of the transaction.
        tenant: Whose images they are.
        classifier_id: Whose classes their labels are of.
        images: To write.
        own: What their embeddings come from.
        keep: Whether their bytes are kept.
        identities: Of those that keep theirs, by their places.
        revision: Of the content, from which on they are there.

    Returns:
        Their records, with new identifiers, in the order of the images.

    Raises:
        OtherBackbone: One of them is stored with embeddings of another backbone.
        InvalidUpload: A file name cannot be stored.
        Outdated: Somebody else has just written the same.
    """
    if not images:
        return []
    class_ids: dict[str, int] = {}
    for some in chunks(sorted({label for label, _ in images})):
        found = session.execute(_CLASS_IDS, {"classifier_id": classifier_id, "some": some})
        class_ids |= {row.label: row.id for row in found}
    known = write_images(session, tenant, [image for _, image in images], own)
    if keep:
        new = [image for place, image in enumerate(images) if place not in identities]
        write_contents(session, new, known)
    now = datetime.now(UTC)
    as_before = [identities.get(place) for place in range(len(images))]
    rows: list[dict[str, Any]] = [
        {
            "public_id": (before and before.public_id) or uuid.uuid4().hex,
            "class_id": class_ids[label],
            "image_id": known[image.sha256].id,
            "filename": storable(image.filename[-_MAX_FILENAME:]),
            "since_revision": revision,
            "annotations": before and before.annotations,
            "created_at": now if before is None else before.created_at,
        }
        for (label, image), before in zip(images, as_before, strict=True)
    ]
    session.execute(_ADD, rows)
    ids: dict[str, int] = {}
    for some in chunks([row["public_id"] for row in rows]):
        found = session.execute(_IDS, {"some": some})
        ids |= {row.public_id: row.id for row in found}
    return [
        SupportRecord(
            id=ids[row["public_id"]],
            public_id=row["public_id"],
            class_id=row["class_id"],
            filename=row["filename"],
            sha256=image.sha256,
            media_type=known[image.sha256].media_type,
            width=known[image.sha256].width,
            height=known[image.sha256].height,
            created_at=row["created_at"],
        )
        for row, (_, image) in zip(rows, images, strict=True)
    ]


def renew_support(
    session: Session,
    tenant: str,
    images: Sequence[EmbeddedImage],
    own: Origin,
) -> None:
    """Write embeddings of other numbers of views of images that a classifier has.

    Those that nobody asks for any more go; the classifier's settings are written before.

    Raises:
        OtherBackbone: One of them is stored with embeddings of another backbone.
        Outdated: Somebody else has just written the same.
    """
    if images:
        known = write_images(session, tenant, images, own)
        with letting_go(session, [row.id for row in known.values()]):
            pass


def storable(filename: str) -> str:
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
