"""Rows of images by their content, within a transaction that writes some: embeddings and bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Select, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from service.images.embedded import EmbeddedImage, Placed, SupportImage
from service.storage.contents import refer
from service.storage.fingerprints import (
    Origin,
    fingerprints_allowed,
    latest_plain_fingerprint,
    other_backbone,
)
from service.storage.prompted_rows import write_prompted
from service.storage.re_embedded import Blobs, write_re_embedded
from service.storage.statements import chunks
from service.storage.tables import ContentRow, ImageRow, ViewsRow, table_of
from service.storage.transactions import execute_or_outdated, flush_or_outdated
from service.tenancy import bare, qualified

# Made once, and of tables where no mapped object is needed: that is most of their cost.
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_OF_IMAGE, _CONTENTS = table_of(ImageRow), table_of(ContentRow)
_IMAGES = select(
    *(_OF_IMAGE.c[name] for name in ("id", "content_key", "media_type", "width", "height")),
    _OF_IMAGE.c.fingerprint,
    (func.length(_OF_IMAGE.c.frozen) == 0).label("bare"),
).where(_OF_IMAGE.c.content_key.in_(_SOME))
# Who lets go of the last use of their views waits until this one is written, and the other way.
_LOCKED_IMAGES = _IMAGES.order_by(_OF_IMAGE.c.id).with_for_update(key_share=True)
_ADD = insert(_OF_IMAGE)
_EMBED = (
    update(_OF_IMAGE)
    .where(_OF_IMAGE.c.id == bindparam("of"))
    .values(
        fingerprint=bindparam("new_fingerprint"),
        frozen=bindparam("new_frozen"),
        corrected=bindparam("new_corrected"),
        checksum=bindparam("new_checksum"),
    )
)
_VIEWS = select(ViewsRow).where(ViewsRow.image_id.in_(_SOME))
_KEPT = select(_CONTENTS.c.image_id).where(_CONTENTS.c.image_id.in_(_SOME))
_KEEP = insert(_CONTENTS)
# Bytes of images that are in memory at a time, about, while they are written down.
_AT_A_TIME = 2**20


class StoredImage(NamedTuple):
    """The row of an image, without its embeddings.

    Attributes:
        fingerprint: Of its embeddings.
        bare: Whether it lacks them.
    """

    id: int
    content_key: str
    media_type: str
    width: int
    height: int
    fingerprint: str
    bare: bool


def write_images(
    session: Session,
    tenant: str,
    images: Sequence[EmbeddedImage],
    own: Origin,
) -> dict[str, StoredImage]:
    """Rows of a tenant's images by their SHA-256, new ones where there are none yet.

    Embeddings of their support views are written where there are none of so many. Those of an
    image that is stored under another fingerprint that may be there, are written beside it, unless
    its row is bare: that has nothing to lose, and takes them.

    Those under prompts of a classifier are written beside the image's own, whatever these are.

    Raises:
        OtherBackbone: One of them is stored with embeddings of another backbone.
        Outdated: Somebody else has just written the same.
    """
    if own.beside is not None:
        return _write_prompted(session, tenant, images, own)
    with_views = [image for image in images if image.views > 1]
    shas = sorted({image.sha256 for image in images})
    known = _found(session, tenant, shas, _LOCKED_IMAGES if with_views else _IMAGES)
    if not with_views and any(stored.bare for stored in known.values()):
        # Of two that fill a row in two recipes, the second waits here, and writes beside it.
        known = _found(session, tenant, shas, _LOCKED_IMAGES)
    for stored in known.values():
        _check(session, stored.fingerprint, own)
    new: dict[str, EmbeddedImage] = {}
    for image in images:
        first = new.get(image.sha256)
        if image.sha256 not in known and (first is None or first.plain is None):
            new[image.sha256] = image
    if new:
        execute_or_outdated(session, _ADD, [_row(tenant, one, own) for one in new.values()])
        known |= _found(session, tenant, list(new), _IMAGES)
    beside: dict[tuple[int, int], Blobs] = {}
    bare: dict[int, Blobs] = {}
    for image in images:
        stored = known[image.sha256]
        if image.plain is None:
            continue
        if stored.bare:
            bare[stored.id] = Blobs.of(image.plain)
        elif stored.fingerprint != own.fingerprint:
            beside[stored.id, 1] = Blobs.of(image.plain)
    if bare:
        given = [
            {
                "of": image_id,
                "new_fingerprint": own.fingerprint,
                "new_frozen": blobs.frozen,
                "new_corrected": blobs.corrected,
                "new_checksum": blobs.checksum,
            }
            for image_id, blobs in bare.items()
        ]
        session.connection().execute(_EMBED, given)
    if with_views:
        beside |= _write_views(session, with_views, known, own)
    if beside:
        write_re_embedded(session, beside, own.fingerprint)
    return known


def _write_prompted(
    session: Session, tenant: str, images: Sequence[EmbeddedImage], own: Origin
) -> dict[str, StoredImage]:
    """As :func:`write_images`, of images that are embedded under prompts of a classifier."""
    first = {image.sha256: image for image in images}
    known = _found(session, tenant, sorted(first), _LOCKED_IMAGES)
    if new := [one for sha256, one in first.items() if sha256 not in known]:
        # As a plain classifier would write them now: this process may not know of a move yet.
        plain = replace(own, beside=latest_plain_fingerprint(session) or own.beside)
        execute_or_outdated(session, _ADD, [_row(tenant, one, plain) for one in new])
        known |= _found(session, tenant, list(first), _IMAGES)
    given: dict[tuple[int, int], Blobs] = {}
    for image in images:
        of = known[image.sha256].id
        if image.plain is not None:
            given[of, 1] = Blobs.of(image.plain)
        if image.views > 1:
            given[of, image.views] = Blobs.of(image.embeddings)
    write_prompted(session, given, own.fingerprint)
    return known


def _found(
    session: Session, tenant: str, shas: Sequence[str], statement: Select[Any]
) -> dict[str, StoredImage]:
    """Rows of those contents that have one."""
    found: dict[str, StoredImage] = {}
    for some in chunks(shas):
        for row in session.execute(statement, {"some": [qualified(tenant, one) for one in some]}):
            found[bare(row.content_key)] = StoredImage(*row)
    return found


def _row(tenant: str, image: EmbeddedImage, own: Origin) -> dict[str, Any]:
    blobs = Blobs(b"", b"", 0)
    if image.plain is not None and own.beside is None:
        blobs = Blobs.of(image.plain)
    return {
        "content_key": qualified(tenant, image.sha256),
        "media_type": image.media_type,
        "width": image.width,
        "height": image.height,
        "fingerprint": own.fingerprint if own.beside is None else own.beside,
        **blobs._asdict(),
    }


def _write_views(
    session: Session,
    images: Sequence[EmbeddedImage],
    known: dict[str, StoredImage],
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
        blobs = Blobs.of(image.embeddings)
        if there[key]:
            beside[key] = blobs
            continue
        there[key] = own.fingerprint
        session.add(
            ViewsRow(
                image_id=key[0],
                views=image.views,
                fingerprint=own.fingerprint,
                **blobs._asdict(),
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
    session: Session, images: Sequence[SupportImage], known: Mapping[str, StoredImage]
) -> None:
    """Keep the bytes of images that have none yet: they may have come while not kept.

    Of those of which embeddings alone are known there is nothing to keep.
    """
    contents = {known[image.sha256].id: image for _, image in images if image.read is not None}
    kept: set[int] = set()
    for some in chunks(list(contents)):
        kept |= set(session.scalars(_KEPT, {"some": some}))
    rows: list[dict[str, Any]] = []
    outside: list[dict[str, Any]] = []
    used: list[Placed] = []
    size = 0
    for image_id, image in contents.items():
        if image_id in kept or image.read is None:
            continue
        if image.placed is not None:
            used.append(image.placed)
            outside.append({"image_id": image_id, "content": b"", "object_id": image.placed.id})
        else:
            # A few at a time, so that those of an archive are never all in memory.
            rows.append({"image_id": image_id, "content": image.read()})
            size += len(rows[-1]["content"])
        if size >= _AT_A_TIME:
            session.execute(_KEEP, rows)
            rows, size = [], 0
    if rows:
        session.execute(_KEEP, rows)
    if used:
        refer(session, used)
        session.execute(_KEEP, outside)
