"""Trained prompts in the database: put, listed, read, deleted, held by classifiers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, delete, func, select, update
from sqlalchemy.orm import Session

from service.problems import PromptsExist, PromptsInUse, PromptsNotFound, TooManyPrompts
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin, remember
from service.storage.tables import (
    ClassifierRow,
    ImageRow,
    PromptedRow,
    TrainedPromptsRow,
    table_of,
)
from service.storage.transactions import flush_or_outdated, one_state, writing
from service.tenancy import bare, qualified

MOST_PROMPTS = 100
"""Of a tenant."""

_TABLE, _EMBEDDED = table_of(TrainedPromptsRow), table_of(PromptedRow)
_IMAGES = table_of(ImageRow)
_RECORD = (*(column for column in _TABLE.c if column.name != "content"),)
_SIZE = func.length(_TABLE.c.content).label("size")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsRecord:
    """Trained prompts as they are listed.

    Attributes:
        sha256: Of their file.
        size: Bytes of it.
        model: Fingerprint of the model that they were put for, with its correction.
        fingerprint: Of embeddings by this model with these prompts.
        described: What they are, as JSON can hold it.
        classifiers: Bare names of those that have chosen them.
    """

    tenant: str
    name: str
    sha256: str
    size: int
    model: str
    fingerprint: str
    described: Mapping[str, Any]
    created_at: datetime
    classifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrompts:
    """Trained prompts that are to be put; as :class:`PromptsRecord`.

    Attributes:
        content: Their file.
        origin: What embeddings with them come from.
    """

    tenant: str
    name: str
    sha256: str
    content: bytes
    origin: Origin
    model: str
    described: Mapping[str, Any]


PromptsRecorder = Callable[[Session, str, str, str], None]
"""Writes down, in the transaction, what was done (``prompts.put``, ``prompts.deleted``) to which
prompts: their name, and their SHA-256."""


def put_prompts(engine: Engine, new: NewPrompts, record: PromptsRecorder) -> bool:
    """Write trained prompts; the same bytes again are no change, and mend a row that is damaged.

    Returns:
        Whether they are new.

    Raises:
        PromptsExist: There are others of that name, or these for another model, which is in use.
        TooManyPrompts: The tenant has as many as it may.
        Outdated: Somebody has just written some of that name.
    """
    remember(engine, new.origin)
    with writing(engine) as session:
        row = session.execute(_of(new.tenant, new.name).with_for_update(of=_TABLE)).one_or_none()
        if row is not None and (row.sha256, row.model) == (new.sha256, new.model):
            damaged = _TABLE.c.id == row.id, _TABLE.c.content != new.content
            session.execute(update(_TABLE).where(*damaged).values(content=new.content))
            return False
        if row is not None and (row.sha256 != new.sha256 or _users(session, row)):
            raise PromptsExist(new.name, row.sha256)
        if row is not None:  # the service has another model or adapter by now
            _forget(session, row)
        many = select(func.count()).where(_TABLE.c.tenant == new.tenant)
        if (session.scalar(many) or 0) >= MOST_PROMPTS:
            raise TooManyPrompts(
                f"There are {MOST_PROMPTS} prompts, the most that a tenant may have. DELETE those"
                " that no classifier uses: GET /v1/prompts shows them."
            )
        session.add(
            TrainedPromptsRow(
                tenant=new.tenant,
                name=new.name,
                sha256=new.sha256,
                model=new.model,
                fingerprint=new.origin.fingerprint,
                described=dict(new.described),
                content=new.content,
            )
        )
        flush_or_outdated(session)
        record(session, "prompts.put", new.name, new.sha256)
        return True


def list_prompts(engine: Engine, tenant: str) -> list[PromptsRecord]:
    """All trained prompts of a tenant, by their names."""
    with one_state(engine) as connection:
        users: defaultdict[str, list[str]] = defaultdict(list)
        chosen = select(ClassifierRow.prompts, ClassifierRow.name).where(
            ClassifierRow.tenant == tenant, ClassifierRow.prompts.is_not(None)
        )
        for prompts, classifier in connection.execute(chosen.order_by(ClassifierRow.name)):
            users[str(prompts)].append(bare(classifier))
        asked = select(*_RECORD, _SIZE).where(_TABLE.c.tenant == tenant).order_by(_TABLE.c.name)
        return [_record(row, users[row.name]) for row in connection.execute(asked)]


def find_prompts(engine: Engine, tenant: str, name: str) -> PromptsRecord:
    """Trained prompts of a tenant.

    Raises:
        PromptsNotFound: It has none of that name.
    """
    with one_state(engine) as connection:
        row = connection.execute(_of(tenant, name)).one_or_none()
        if row is None:
            raise PromptsNotFound(name)
        return _record(row, _users(connection, row))


def prompts_file(engine: Engine, fingerprint: str, model: str) -> tuple[str, bytes] | None:
    """The name and the file of prompts that make embeddings of a fingerprint; None: nobody's do.

    Args:
        engine: Of the database.
        fingerprint: Theirs.
        model: Of the model that they are used with.
    """
    asked = select(_TABLE.c.name, _TABLE.c.content).where(
        _TABLE.c.fingerprint == fingerprint, _TABLE.c.model == model
    )
    with engine.connect() as connection:
        row = connection.execute(asked.limit(1)).one_or_none()
        return None if row is None else (row.name, row.content)


def delete_prompts(engine: Engine, tenant: str, name: str, record: PromptsRecorder) -> str:
    """Delete trained prompts that no classifier uses, with what was embedded with them.

    Returns:
        The fingerprint of that.

    Raises:
        PromptsNotFound: There are none of that name.
        PromptsInUse: Classifiers use them.
    """
    with writing(engine, frees=True) as session:
        row = session.execute(_of(tenant, name).with_for_update(of=_TABLE)).one_or_none()
        if row is None:
            raise PromptsNotFound(name)
        if users := _users(session, row):
            raise PromptsInUse(name, users)
        _forget(session, row)
        record(session, "prompts.deleted", name, row.sha256)
        return str(row.fingerprint)


def hold_prompts(session: Session, tenant: str, name: str | None, fingerprint: str) -> None:
    """See, in the transaction that writes a classifier, that its prompts are there and stay.

    Args:
        session: Of the transaction.
        tenant: The classifier's.
        name: Of the prompts that it chooses; None: none.
        fingerprint: Of what its embeddings come from.

    Raises:
        Outdated: They are gone, or others by now.
    """
    if name is None:
        return
    held = select(_TABLE.c.fingerprint).where(_TABLE.c.tenant == tenant, _TABLE.c.name == name)
    if session.scalar(held.with_for_update(read=True)) != fingerprint:
        raise Outdated


def classifiers_with_prompts(engine: Engine) -> list[str]:
    """Names of all classifiers that have chosen some."""
    with engine.connect() as connection:
        chosen = select(ClassifierRow.name).where(ClassifierRow.prompts.is_not(None))
        return list(connection.scalars(chosen.order_by(ClassifierRow.name)))


def fingerprints_in_use(engine: Engine) -> set[str]:
    """Fingerprints of classifiers that have chosen prompts."""
    with engine.connect() as connection:
        chosen = select(ClassifierRow.fingerprint).where(ClassifierRow.prompts.is_not(None))
        return set(connection.scalars(chosen.distinct()))


def _of(tenant: str, name: str) -> Select[Any]:
    return select(*_RECORD, _SIZE).where(_TABLE.c.tenant == tenant, _TABLE.c.name == name)


def _users(within: Session | Connection, row: Any) -> list[str]:
    chosen = select(ClassifierRow.name).where(
        ClassifierRow.tenant == row.tenant, ClassifierRow.prompts == row.name
    )
    return [bare(name) for name in within.execute(chosen.order_by(ClassifierRow.name)).scalars()]


def _forget(session: Session, row: Any) -> None:
    """Delete prompts, with what images of the tenant are with them unless it has them twice."""
    session.execute(delete(_TABLE).where(_TABLE.c.id == row.id))
    others = select(_TABLE.c.tenant).where(_TABLE.c.fingerprint == row.fingerprint).distinct()
    if row.tenant in (left := set(session.scalars(others))):
        return
    gone = delete(_EMBEDDED).where(_EMBEDDED.c.fingerprint == row.fingerprint)
    if left:
        gone = gone.where(_EMBEDDED.c.image_id.in_(_images_of(row.tenant)))
    session.execute(gone)


def _images_of(tenant: str) -> Select[Any]:
    """Ids of its images, by what qualifies their keys; LIKE would take ``A/`` for ``a/``."""
    key, prefix = _IMAGES.c.content_key, qualified(tenant, "")
    own = func.substr(key, 1, len(prefix)) == prefix if prefix else ~key.contains("/")
    return select(_IMAGES.c.id).where(own)


def _record(row: Any, users: list[str]) -> PromptsRecord:
    return PromptsRecord(
        tenant=row.tenant,
        name=row.name,
        sha256=row.sha256,
        size=row.size,
        model=row.model,
        fingerprint=row.fingerprint,
        described=row.described if isinstance(row.described, dict) else {},
        created_at=row.created_at,
        classifiers=tuple(users),
    )
