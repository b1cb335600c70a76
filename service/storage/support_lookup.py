"""Support images found by what identifies them, through an index, one row each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam

from service.storage.loaded_rows import RECORDS, loaded_record
from service.storage.records import PUBLIC_ID, SupportRecord
from service.storage.statements import chunks
from service.storage.tables import ClassRow, ImageRow, SupportRow
from service.tenancy import bare, qualified

_IN_CLASSES = RECORDS.add_columns(ClassRow.label).join(ClassRow, SupportRow.class_id == ClassRow.id)
# Made once: that is most of its cost.
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_REGISTERED = _IN_CLASSES.where(
    ImageRow.content_key.in_(_SOME), ClassRow.classifier_id == bindparam("classifier_id")
)


def registered(
    connection: Connection,
    tenant: str,
    classifier_id: int,
    images: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], SupportRecord]:
    """Those of some images, by label and SHA-256, that their class has already.

    Raises:
        Damaged: One of them cannot be read.
    """
    asked = set(images)
    found: dict[tuple[str, str], SupportRecord] = {}
    for some in chunks(sorted({qualified(tenant, sha256) for _, sha256 in asked})):
        whose = {"some": some, "classifier_id": classifier_id}
        for row in connection.execute(_REGISTERED, whose):
            if (key := (row.label, bare(row.content_key))) in asked:
                found[key] = loaded_record(row)
    return found


def support_image(
    connection: Connection, classifier_id: int, label: str, public_id: str
) -> SupportRecord | None:
    """A support image of a class by its public id, or None.

    Raises:
        Damaged: It cannot be read.
    """
    if not PUBLIC_ID.fullmatch(public_id):
        return None
    row = connection.execute(
        _IN_CLASSES.where(
            SupportRow.public_id == public_id,
            ClassRow.classifier_id == classifier_id,
            ClassRow.label == label,
        )
    ).one_or_none()
    return None if row is None else loaded_record(row)
