"""Rows of support images and of their classes' texts, within a transaction that writes a change."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, select
from sqlalchemy.orm import Session

from service.images.embedded import EmbeddedImage, SupportImage
from service.problems import InvalidUpload
from service.storage.deleting import letting_go
from service.storage.fingerprints import Origin, fingerprints_allowed, other_backbone
from service.storage.re_embedded import Blobs, write_re_embedded
from service.storage.records import SupportRecord
from service.storage.rows import support_record
from service.storage.statements import chunks
from service.storage.tables import (
    ClassRow,
    ContentRow,
    ImageRow,
    SupportRow,
    ViewsRow,
    table_of,
)
from service.storage.transactions import flush_or_outdated

# Made once, and of tables where no mapped object is needed: that is most of their cost.
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_CLASSES, _CONTENTS = table_of(ClassRow).c, table_of(ContentRow)
_CLASS_IDS = select(_CLASSES.label, _CLASSES.id).where(
    _CLASSES.classifier_id == bindparam("classifier_id"), _CLASSES.label.in_(_SOME)
)
_IMAGES = select(ImageRow).where(ImageRow.sha256.in_(_SOME))
# Who lets go of the last use of their views waits until this one is written, and the other way.
_LOCKED_IMAGES = _IMAGES.order_by(ImageRow.id).with_for_update(key_share=True)
_VIEWS = select(ViewsRow).where(ViewsRow.image_id.in_(_SOME))
_KEPT = select(_CONTENTS.c.image_id).where(_CONTENTS.c.image_id.in_(_SOME))
_KEEP = insert(_CONTENTS)

# Of the column; the end of a longer name tells more than its beginning.
_MAX_FILENAME = 255


def write_support(
    session: Session,
    classifier_id: int,
    images: Sequence[SupportImage],
    own: Origin,
    *,
    keep: bool,
) -> list[SupportRecord]:
    """Write support images of a classifier; each content is stored once, whatever it supports.

    Args:
        session: Of the transaction.
        classifier_id: Whose classes their labels are of.
        images: To write.
        own: What their embeddings come from.
        keep: Whether their bytes are kept.

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
    known = write_images(session, [image for _, image in images], own)
    if keep:
        write_contents(session, images, known)
    rows = [
        SupportRow(
            public_id=uuid.uuid4().hex,
            class_id=class_ids[label],
            image_id=known[image.sha256].id,
            filename=storable(image.filename[-_MAX_FILENAME:]),
        )
        for label, image in images
    ]
    session.add_all(rows)
    session.flush()
    return [
        support_record(row, known[image.sha256])
        for row, (_, image) in zip(rows, images, strict=True)
    ]


def renew_support(
    session: Session,
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
        known = write_images(session, images, own)
        with letting_go(session, [row.id for row in known.values()]):
            pass


def write_images(
    session: Session,
    images: Sequence[EmbeddedImage],
    own: Origin,
) -> dict[str, ImageRow]:
    """Rows of the images by their content, new ones where there are none yet.

    Embeddings of their support views are written where there are none of so many. Those of an
    image that is stored under another fingerprint that may be there, are written beside it.

    Raises:
        OtherBackbone: One of them is stored with embeddings of another backbone.
        Outdated: Somebody else has just written the same.
    """
    known: dict[str, ImageRow] = {}
    with_views = [image for image in images if image.views > 1]
    found = _LOCKED_IMAGES if with_views else _IMAGES
    for some in chunks(sorted({image.sha256 for image in images})):
        for row in session.scalars(found, {"some": some}):
            _check(session, row.fingerprint, own)
            known[row.sha256] = row
    beside: dict[tuple[int, int], Blobs] = {}
    for image in images:
        if image.sha256 not in known:
            known[image.sha256] = ImageRow(
                sha256=image.sha256,
                media_type=image.media_type,
                width=image.width,
                height=image.height,
                fingerprint=own.fingerprint,
                frozen=b"",
                corrected=b"",
            )
            session.add(known[image.sha256])
        row = known[image.sha256]
        if image.plain is None:
            continue
        if row.fingerprint != own.fingerprint:
            beside[row.id, 1] = Blobs.of(image.plain)
        elif not row.frozen:
            row.frozen, row.corrected = Blobs.of(image.plain)
    flush_or_outdated(session)
    if with_views:
        beside |= _write_views(session, with_views, known, own)
    if beside:
        write_re_embedded(session, beside, own.fingerprint)
    return known


def _write_views(
    session: Session,
    images: Sequence[EmbeddedImage],
    known: dict[str, ImageRow],
    own: Origin,
) -> dict[tuple[int, int], Blobs]:
    """Write embeddings of support views; returns those to be written beside others."""
    there: dict[tuple[int, int], str] = {}
    beside: dict[tuple[int, int], Blobs] = {}
    for some in chunks(sorted({known[image.sha256].id for image in images})):
        for row in session.scalars(_VIEWS, {"some": some}):
            _check(session, row.fingerprint, own)
            there[row.image_id, row.views] = row.fingerprint
    for image in images:
        key = known[image.sha256].id, image.views
        if there.setdefault(key, "") == own.fingerprint:
            continue
        frozen, corrected = Blobs.of(image.embeddings)
        if there[key]:
            beside[key] = Blobs(frozen, corrected)
            continue
        there[key] = own.fingerprint
        session.add(
            ViewsRow(
                image_id=key[0],
                views=image.views,
                fingerprint=own.fingerprint,
                frozen=frozen,
                corrected=corrected,
            )
        )
    flush_or_outdated(session)
    return beside


def _check(session: Session, fingerprint: str, own: Origin) -> None:
    """See that a row that is there is of a recipe that may be there."""
    if fingerprint != own.fingerprint and fingerprint not in fingerprints_allowed(session, own):
        what = "An image of the request is stored already, and has"
        raise other_backbone(session.connection(), what, fingerprint, own)


def write_contents(
    session: Session, images: Sequence[SupportImage], known: dict[str, ImageRow]
) -> None:
    """Keep the bytes of images that have none yet: they may have come while not kept."""
    contents = {known[image.sha256].id: image.read for _, image in images}
    kept: set[int] = set()
    for some in chunks(list(contents)):
        kept |= set(session.scalars(_KEPT, {"some": some}))
    for image_id, read in contents.items():
        if image_id not in kept:
            # One after the other, so that those of an archive are never all in memory.
            session.execute(_KEEP, {"image_id": image_id, "content": read()})


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
