"""What support images are as queries, where a classifier holds averages of their views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from sqlalchemy import Connection, bindparam, select
from torch import Tensor

from adapters.embeddings import SupportSet
from service.problems import ClassifierDamaged
from service.storage.errors import Damaged
from service.storage.re_embedded import re_embedded
from service.storage.rows import image_embeddings
from service.storage.tables import ClassifierRow, ClassRow, ImageRow, SupportRow

_THEMSELVES = (
    select(
        SupportRow.id,
        ImageRow.id.label("image_id"),
        SupportRow.public_id,
        ImageRow.frozen,
        ImageRow.corrected,
        ImageRow.checksum,
        ImageRow.fingerprint,
        ClassifierRow.fingerprint.label("own"),
    )
    .join(ImageRow, SupportRow.image_id == ImageRow.id)
    .join(ClassRow, SupportRow.class_id == ClassRow.id)
    .join(ClassifierRow, ClassRow.classifier_id == ClassifierRow.id)
    .where(ClassifierRow.name == bindparam("name"))
)


def query_embeddings(
    connection: Connection, name: str, fingerprint: str | None = None
) -> dict[int, Tensor]:
    """Corrected embeddings of a classifier's support images without their views, by their ids.

    Those of which nobody has made it are missing.

    Args:
        connection: In a transaction that sees one state of the database.
        name: The classifier's.
        fingerprint: Of what they come from; that of the classifier if None.

    Raises:
        ClassifierDamaged: One of them cannot be read.
    """
    found = connection.execute(_THEMSELVES, {"name": name}).all()
    if not found:
        return {}
    wanted = fingerprint or found[0].own
    others = [row.image_id for row in found if row.fingerprint != wanted]
    beside = re_embedded(connection, others, 1, wanted) if others else {}
    stored = {
        row.id: (row.public_id, row if row.fingerprint == wanted else beside[row.image_id])
        for row in found
        if row.fingerprint == wanted or row.image_id in beside
    }
    stored = {i: (public_id, of) for i, (public_id, of) in stored.items() if of.corrected}
    images = [public_id for public_id, _ in stored.values()]
    try:
        rows = image_embeddings(
            [of for _, of in stored.values()], lambda place: f"image {images[place]}"
        )
    except Damaged as error:
        raise ClassifierDamaged(name, str(error)) from error
    return dict(zip(stored, rows.corrected, strict=True))


def with_queries(support: SupportSet, found: Mapping[int, Tensor]) -> SupportSet:
    """Images that are held as averages of views, with what they are as queries, where it is known.

    Args:
        support: The images.
        found: Corrected embeddings by their ids.
    """
    rows = in_order(support.ids, found, support.embeddings.corrected.shape[1])
    return replace(support, embeddings=replace(support.embeddings, as_queries=rows))


def in_order(ids: Tensor, found: Mapping[int, Tensor], width: int) -> Tensor:
    """(n, d') rows of (n,) ids; NaN where there are none, or none so wide."""
    unknown = torch.full((width,), torch.nan)
    if not found:
        return unknown.expand(len(ids), width)  # takes no memory
    rows = (found.get(i, unknown) for i in ids.tolist())
    every = [row if len(row) == width else unknown for row in rows]
    return torch.stack(every) if every else unknown.expand(0, width)
