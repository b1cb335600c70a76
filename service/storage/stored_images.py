"""Support images by their public ids, with the embeddings that they have as queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Engine, bindparam

from adapters.embeddings import ImageEmbeddings
from service.problems import ClassifierDamaged
from service.storage.errors import Damaged
from service.storage.loaded_rows import RECORDS, loaded_record
from service.storage.re_embedded import Blobs, re_embedded
from service.storage.records import PUBLIC_ID, State, SupportRecord
from service.storage.rows import image_embeddings
from service.storage.statements import chunks
from service.storage.tables import ClassifierRow, ClassRow, ContentRow, ImageRow, SupportRow
from service.storage.transactions import one_state

_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_OF_CLASSIFIER = (
    RECORDS.add_columns(
        ImageRow.id.label("image_id"),
        ImageRow.fingerprint,
        ImageRow.frozen,
        ImageRow.corrected,
        ImageRow.checksum,
        ContentRow.image_id.is_not(None).label("is_kept"),
    )
    .join(ClassRow, SupportRow.class_id == ClassRow.id)
    .join(ClassifierRow, ClassRow.classifier_id == ClassifierRow.id)
    .outerjoin(ContentRow, ContentRow.image_id == ImageRow.id)
    .where(
        SupportRow.public_id.in_(_SOME),
        ClassifierRow.id == bindparam("classifier_id"),
        ClassifierRow.created_at == bindparam("created_at"),  # ids are given again
    )
)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A support image, as a query of its classifier would be embedded.

    Attributes:
        record: The support image.
        is_kept: Whether its bytes are.
        embeddings: One row, of it alone; None where nobody has made it in that recipe.
    """

    record: SupportRecord
    is_kept: bool
    embeddings: ImageEmbeddings | None


def stored_images(
    engine: Engine, name: str, state: State, public_ids: Iterable[str], fingerprint: str
) -> dict[str, StoredImage]:
    """Those of some support images that a classifier has, by their public ids; blocks.

    Args:
        engine: Of the database.
        name: The classifier's.
        state: Whose images they have to be; only which classifier it is of matters.
        public_ids: Theirs; what is no id is nobody's.
        fingerprint: Of the recipe that embeddings are asked for in.

    Raises:
        ClassifierDamaged: One of them cannot be read.
    """
    asked = sorted({one for one in public_ids if PUBLIC_ID.fullmatch(one)})
    rows: list[Any] = []
    with one_state(engine) as connection:
        for some in chunks(asked):
            whose = {"classifier_id": state.id, "created_at": state.created_at}
            rows += connection.execute(_OF_CLASSIFIER, {**whose, "some": some})
        others = [row.image_id for row in rows if row.fingerprint != fingerprint]
        beside = re_embedded(connection, others, 1, fingerprint) if others else {}
    try:
        return {row.public_id: _stored(row, fingerprint, beside) for row in rows}
    except Damaged as error:
        raise ClassifierDamaged(name, str(error)) from error


def _stored(row: Any, fingerprint: str, beside: Mapping[int, Blobs]) -> StoredImage:
    blobs: Blobs | None = Blobs(row.frozen, row.corrected, row.checksum)
    if row.fingerprint != fingerprint:
        blobs = beside.get(row.image_id)
    embeddings = None
    if blobs is not None and blobs.frozen:
        embeddings = image_embeddings([blobs], lambda _: f"image {row.public_id}")
    return StoredImage(loaded_record(row), row.is_kept, embeddings)
