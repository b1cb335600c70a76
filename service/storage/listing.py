"""Classifiers as listed: those that cannot answer are marked, and cost none of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from service.storage.errors import Damaged
from service.storage.records import ClassifierRecord
from service.storage.rows import classifier_record, damaged_record
from service.storage.statements import LISTING
from service.storage.tables import ClassifierRow


def listed(
    session: Session, answers: Callable[[str], bool], tenant: str | None = None
) -> list[ClassifierRecord]:
    """All classifiers by name, or those of a tenant.

    Those of which a fingerprint ``answers`` have no problem.
    """
    whose = true() if tenant is None else ClassifierRow.tenant == tenant
    try:
        return [_record(answers, *row) for row in session.execute(LISTING.where(whose))]
    except Damaged:  # a row whose text is no text: the others one by one
        ids = session.scalars(
            select(ClassifierRow.id).where(whose).order_by(ClassifierRow.name)
        ).all()
        records = [listed_one(session, answers, classifier_id) for classifier_id in ids]
        return [record for record in records if record is not None]


def listed_one(
    session: Session, answers: Callable[[str], bool], classifier_id: int
) -> ClassifierRecord | None:
    """One classifier; None if it is gone, or its very name cannot be read."""
    whose = ClassifierRow.id == classifier_id
    try:
        row = session.execute(LISTING.where(whose)).one_or_none()
        return None if row is None else _record(answers, *row)
    except Damaged as error:
        damage = str(error)
    try:
        name = session.scalar(select(ClassifierRow.name).where(whose))
    except Damaged:
        return None
    bare = ClassifierRow(id=classifier_id, name=name, method="", revision=0)
    return damaged_record(bare, 0, 0, "", f"damaged: {damage}")


def _record(
    answers: Callable[[str], bool],
    row: ClassifierRow,
    backbone: str | None,
    n_classes: int,
    n_images: int,
) -> ClassifierRecord:
    backbone = backbone or "unknown"
    try:
        record = classifier_record(row, n_classes, n_images, backbone)
    except Damaged as error:
        return damaged_record(row, n_classes, n_images, backbone, f"damaged: {error}")
    if not answers(row.fingerprint):
        return replace(record, problem=f"embedded by another backbone, {backbone}")
    return record
