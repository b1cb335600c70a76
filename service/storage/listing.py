"""Classifiers as listed: those that cannot answer are marked, and cost none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session

from service.storage.errors import Damaged
from service.storage.records import ClassifierRecord
from service.storage.rows import classifier_record, damaged_record
from service.storage.statements import LISTING, N_IMAGES, chunks
from service.storage.tables import ClassifierRow
from service.tenancy import qualified


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which classifiers of a tenant are asked for, in which order.

    Attributes:
        tenant: Whose.
        only: Bare names that are asked for; None: all.
        prefix: Of their bare names.
        metadata: Keys and values that all of them have.
        problem: Whether they cannot answer; None: either.
        order: What they are ordered by, and by name where that is the same.
        descending: Whether the greatest comes first.
        limit: Most of them; None: all.
        after: What they are ordered by, and the bare name, of the one before them.
    """

    tenant: str
    only: frozenset[str] | None = None
    prefix: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    problem: bool | None = None
    order: Literal["name", "created", "updated", "images"] = "name"
    descending: bool = False
    limit: int | None = None
    after: tuple[str | int | datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page of a list.

    Attributes:
        records: Its classifiers.
        last: The last of them, after which there are more; None: there are none.
    """

    records: list[ClassifierRecord]
    last: ClassifierRecord | None


def listed_page(session: Session, answers: Callable[[str], bool], listing: Listing) -> ListedPage:
    """A page of classifiers. Costs its rows, and an index over those of the tenant."""
    ids = session.scalars(_ids(listing)).all()
    found = _records(session, answers, ids)
    if listing.problem is not None:
        found = (one for one in found if (one.problem is not None) == listing.problem)
    if listing.limit is None:
        return ListedPage(list(found), None)
    records = list(islice(found, listing.limit + 1))
    page = records[: listing.limit]
    return ListedPage(page, page[-1] if len(records) > len(page) else None)


def _records(
    session: Session, answers: Callable[[str], bool], ids: Sequence[int]
) -> Iterator[ClassifierRecord]:
    """Classifiers by their ids, in their order; some hundred are read at a time."""
    for some in chunks(ids):
        try:
            rows = session.execute(LISTING.where(ClassifierRow.id.in_(some)))
            read = {record.id: record for record in (_record(answers, *row) for row in rows)}
        except Damaged:  # a row whose text is no text: the others one by one
            alone = [listed_one(session, answers, one) for one in some]
            read = {record.id: record for record in alone if record is not None}
        yield from (read[one] for one in some if one in read)


def _ids(listing: Listing) -> Select[Any]:
    """Ids alone, in order: no text is read, which may be damaged."""
    keys: dict[str, Any] = {
        "name": ClassifierRow.name,
        "created": ClassifierRow.created_at,
        "updated": ClassifierRow.updated_at,
        "images": N_IMAGES,
    }
    key = keys[listing.order]
    name = ClassifierRow.name
    whose: list[ColumnElement[bool]] = [ClassifierRow.tenant == listing.tenant]
    if listing.only is not None:
        whose.append(name.in_([qualified(listing.tenant, one) for one in listing.only]))
    if listing.prefix:
        start = qualified(listing.tenant, listing.prefix)
        whose.append(func.substr(name, 1, len(start)) == start)
    metadata = ClassifierRow.annotations["metadata"]
    whose += [metadata[key].as_string() == value for key, value in listing.metadata]
    if listing.after is not None:
        at, last = listing.after[0], qualified(listing.tenant, listing.after[1])
        if listing.order == "name":
            at = last
        beyond = (key < at, name < last) if listing.descending else (key > at, name > last)
        whose.append(or_(beyond[0], and_(key == at, beyond[1])))
    places = [key, name]
    order = [one.desc() for one in places] if listing.descending else places
    found = select(ClassifierRow.id).where(*whose).order_by(*order)
    if listing.limit is not None and listing.problem is None:
        found = found.limit(listing.limit + 1)
    return found


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
