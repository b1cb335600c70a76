"""Embeddings of images in the other of two recipes, while a database moves from one to the other.

The row of an image (:class:`service.storage.tables.ImageRow`, or ``ViewsRow`` for several views)
holds its embeddings in one recipe, and the row of the same number of views here those in the other.
Those under prompts of a classifier stand beside both (:mod:`service.storage.prompted_rows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, select, union_all
from sqlalchemy.orm import Session

from adapters.embeddings import ImageEmbeddings
from service.storage.rows import blob
from service.storage.statements import chunks
from service.storage.tables import PromptedRow, ReEmbeddedRow, checksum, table_of
from service.storage.transactions import flush_or_outdated

_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_OF_ONE_NUMBER = union_all(
    *(
        select(table.c.image_id, table.c.frozen, table.c.corrected, table.c.checksum).where(
            table.c.image_id.in_(_SOME),
            table.c.views == bindparam("views"),
            table.c.fingerprint == bindparam("fingerprint"),
        )
        for table in (table_of(ReEmbeddedRow), table_of(PromptedRow))
    )
)
_ROWS = select(ReEmbeddedRow).where(ReEmbeddedRow.image_id.in_(_SOME))


class Blobs(NamedTuple):
    """Both embeddings of an image, as they are stored, and their checksum."""

    frozen: bytes
    corrected: bytes
    checksum: int | None

    @classmethod
    def of(cls, row: ImageEmbeddings) -> Blobs:
        """One row of embeddings."""
        frozen, corrected = blob(row.frozen), blob(row.corrected)
        return cls(frozen, corrected, checksum(frozen, corrected))


def re_embedded(
    connection: Connection, image_ids: Iterable[int], views: int, fingerprint: str
) -> dict[int, Blobs]:
    """What there is of some images in that recipe, or under prompts, beside their own rows.

    Args:
        connection: Of the transaction that found the images.
        image_ids: Those whose own row is of another fingerprint.
        views: The number.
        fingerprint: The one that is asked for.

    Returns:
        By their ids.
    """
    found: dict[int, Blobs] = {}
    for some in chunks(sorted(set(image_ids))):
        given = {"some": some, "views": views, "fingerprint": fingerprint}
        for row in connection.execute(_OF_ONE_NUMBER, given):
            found[row.image_id] = Blobs(row.frozen, row.corrected, row.checksum)
    return found


def write_re_embedded(
    session: Session, embedded: Mapping[tuple[int, int], Blobs], fingerprint: str
) -> None:
    """Write embeddings of images whose own rows are of another fingerprint; what is there stays.

    Args:
        session: Of the transaction.
        embedded: By the image's id and the number of views.
        fingerprint: What they come from.

    Raises:
        Outdated: Somebody else has just written the same.
    """
    there: dict[tuple[int, int], ReEmbeddedRow] = {}
    for some in chunks(sorted({image_id for image_id, _ in embedded})):
        for row in session.scalars(_ROWS, {"some": some}):
            there[row.image_id, row.views] = row
    for (image_id, views), blobs in embedded.items():
        known = there.get((image_id, views))
        if known is None:
            session.add(
                ReEmbeddedRow(
                    image_id=image_id,
                    views=views,
                    fingerprint=fingerprint,
                    **blobs._asdict(),
                )
            )
        elif known.fingerprint != fingerprint:  # of a move that was given up
            known.fingerprint = fingerprint
            known.frozen, known.corrected, known.checksum = blobs
    flush_or_outdated(session)
