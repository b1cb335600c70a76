"""Embeddings of images under trained prompts, beside those that the images' own rows hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, select
from sqlalchemy.orm import Session

from service.storage.re_embedded import Blobs
from service.storage.statements import chunks
from service.storage.tables import PromptedRow, table_of
from service.storage.transactions import execute_or_outdated

_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_TABLE = table_of(PromptedRow)
_THERE = select(_TABLE.c.image_id, _TABLE.c.views).where(
    _TABLE.c.image_id.in_(_SOME), _TABLE.c.fingerprint == bindparam("fingerprint")
)


def write_prompted(
    session: Session, embedded: Mapping[tuple[int, int], Blobs], fingerprint: str
) -> None:
    """Write embeddings of images under prompts; what is there stays.

    Args:
        session: Of the transaction.
        embedded: By the image's id and the number of views.
        fingerprint: What they come from.

    Raises:
        Outdated: Somebody else has just written the same.
    """
    there: set[tuple[int, int]] = set()
    for some in chunks(sorted({image_id for image_id, _ in embedded})):
        found = session.execute(_THERE, {"some": some, "fingerprint": fingerprint})
        there |= {(row.image_id, row.views) for row in found}
    rows = [
        {
            "image_id": image_id,
            "views": views,
            "fingerprint": fingerprint,
            **blobs._asdict(),
        }
        for (image_id, views), blobs in embedded.items()
        if (image_id, views) not in there
    ]
    if rows:
        execute_or_outdated(session, insert(_TABLE), rows)
