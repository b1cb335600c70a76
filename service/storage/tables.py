"""The tables. Their history is in ``migrations/``; change both together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import TypeAdapter
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In the place of a value that cannot be read, so that its row does not cost the others."""

    stored: str


def _tolerant(read: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def process(value: Any) -> Any:
        try:
            return value if read is None else read(value)
        except (TypeError, ValueError):
            return Unreadable(repr(value)[:100])

    return process


class Json(TypeDecorator[Any]):
    """JSON, or :class:`Unreadable`."""

    impl = JSON
    cache_ok = True

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Compare members as JSON does."""
        return self.impl_instance.coerce_compared_value(op, value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Return what reads a stored value."""
        return _tolerant(super().result_processor(dialect, coltype))


class _Array(TypeDecorator[tuple[Any, ...]]):
    """A JSON array of one type as a tuple, or :class:`Unreadable`."""

    impl = JSON
    items: ClassVar[TypeAdapter[Any]]

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Return what reads a stored value."""
        read = super().result_processor(dialect, coltype)
        return _tolerant(
            lambda stored: self.items.validate_python(stored if read is None else read(stored))
        )


class Strings(_Array):
    """A JSON array of strings as a tuple, or :class:`Unreadable`."""

    cache_ok = True
    items = TypeAdapter[Any](tuple[str, ...])


class Names(_Array):
    """A JSON array of strings as a tuple, None where there is none, or :class:`Unreadable`."""

    cache_ok = True
    items = TypeAdapter[Any](tuple[str, ...] | None)


class Ids(_Array):
    """A JSON array of identifiers as a tuple, or :class:`Unreadable`."""

    cache_ok = True
    items = TypeAdapter[Any](tuple[int, ...])


class Moment(TypeDecorator[datetime]):
    """A point in time, or :class:`Unreadable`.

    SQLite keeps no time zone, so it is given UTC, which is put back on what it returns.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Take a time of any zone."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Return what reads a stored value."""
        return _tolerant(super().result_processor(dialect, coltype))


# JSON or SQL's NULL, never JSON's.
_NULLABLE = Json(none_as_null=True)
# Of a tenant and a name or a digest; SQLite, which minds no length, keeps the type that it has.
_QUALIFIED = String(64).with_variant(String(129), "postgresql")


class Base(DeclarativeBase):
    """Base of all tables."""


def table_of(row: type[Base]) -> Table:
    """The table of a mapped class, for statements that need no mapped objects."""
    return Base.metadata.tables[row.__tablename__]


class BackboneRow(Base):
    """A backbone whose embeddings are, or were, in this database, and the options that ask for it.

    Rows of before the migration 0004 do not know the adapter and the prompts.
    """

    __tablename__ = "backbones"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    adapter: Mapped[str | None] = mapped_column(String(4096))
    prompts: Mapped[str | None] = mapped_column(String(4096))


class ClassifierRow(Base):
    """A classifier: its settings, and what its support set made of them.

    Its name is the qualified one (:mod:`service.tenancy`).

    Each field of :class:`service.classifier_settings.ClassifierSettings` has the column of its
    name. The fingerprint is of the backbone that gave the text embeddings and the tuning.

    Where the tuning is not current, ``images_behind`` images came or went since it was. It is, or
    is not, since ``tuning_since``; None: since ``updated_at``.
    """

    __tablename__ = "classifiers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(_QUALIFIED, unique=True)
    tenant: Mapped[str] = mapped_column(String(64), server_default="", index=True)
    method: Mapped[str] = mapped_column(String(32))
    templates: Mapped[tuple[str, ...]] = mapped_column(Strings)
    names_carry_meaning: Mapped[bool]
    false_rejection_rate: Mapped[float]
    coverage: Mapped[float | None]
    support_views: Mapped[int] = mapped_column(server_default="1")
    remember: Mapped[str] = mapped_column(String(16), server_default="none")
    remember_most: Mapped[int] = mapped_column(server_default="1000")
    remember_days: Mapped[float] = mapped_column(server_default="30")
    fingerprint: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"))
    tuning: Mapped[dict[str, Any]] = mapped_column(Json)
    tuning_is_current: Mapped[bool] = mapped_column(server_default=true())
    tuning_since: Mapped[datetime | None] = mapped_column(Moment)
    images_behind: Mapped[int] = mapped_column(server_default="0")
    revision: Mapped[int] = mapped_column(server_default="0")  # one more with each change
    content_revision: Mapped[int] = mapped_column(server_default="0")  # but for later tunings
    annotations: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE)
    created_at: Mapped[datetime] = mapped_column(Moment, default=_now)
    updated_at: Mapped[datetime] = mapped_column(Moment, default=_now, onupdate=_now)


class ClassRow(Base):
    """A class of a classifier, with the text embedding of its name (float32)."""

    __tablename__ = "classes"
    __table_args__ = (
        UniqueConstraint("classifier_id", "label"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    classifier_id: Mapped[int] = mapped_column(ForeignKey("classifiers.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(String(255))
    since_revision: Mapped[int] = mapped_column(server_default="0")  # of the content
    text_embedding: Mapped[bytes | None] = mapped_column(LargeBinary)
    annotations: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE)
    created_at: Mapped[datetime] = mapped_column(Moment, default=_now)


class ImageRow(Base):
    """An image of a tenant by its content, once however many classes it supports.

    The content key is the SHA-256 of its bytes, qualified by the tenant as names are
    (:mod:`service.tenancy`): two tenants never share a row, so neither can learn from it that the
    other has the image.

    Its embeddings are empty where nobody knows them: a classifier's file has those of support views
    alone.
    """

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(primary_key=True)
    content_key: Mapped[str] = mapped_column(_QUALIFIED, unique=True)
    media_type: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"), index=True)
    frozen: Mapped[bytes] = mapped_column(LargeBinary)
    corrected: Mapped[bytes] = mapped_column(LargeBinary)


class ViewsRow(Base):
    """The embeddings of an image's support views, averaged, for classifiers of so many views.

    Where that is one they are the image's own.
    """

    __tablename__ = "image_views"

    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    views: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"), index=True)
    frozen: Mapped[bytes] = mapped_column(LargeBinary)
    corrected: Mapped[bytes] = mapped_column(LargeBinary)


class ReEmbeddingRow(Base):
    """The move of the database from one recipe of its backbone to another; one row, or none.

    Classifiers of both are there meanwhile. One process works on it: the ``worker``, which beats.
    """

    __tablename__ = "re_embedding"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"))
    target: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"))
    since: Mapped[datetime] = mapped_column(Moment, default=_now)
    going_back: Mapped[bool] = mapped_column(default=False)  # it was cancelled
    arrived: Mapped[bool] = mapped_column(default=False)  # all classifiers are of the target
    error: Mapped[str | None] = mapped_column(Text)
    failed: Mapped[bool] = mapped_column(default=False)  # for good, by that error
    worker: Mapped[str | None] = mapped_column(String(32))
    beat: Mapped[datetime | None] = mapped_column(Moment)


class ReEmbeddedRow(Base):
    """Embeddings of an image in the other recipe than the row for so many views has them in.

    There are some only while the database moves from one to the other.
    """

    __tablename__ = "re_embedded"

    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    views: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"), index=True)
    frozen: Mapped[bytes] = mapped_column(LargeBinary)
    corrected: Mapped[bytes] = mapped_column(LargeBinary)


class RememberedRow(Base):
    """A query that a classifier was told to remember, with its answer; in its inbox until judged.

    ``size`` is that of the picture's bytes, 0 where these are not kept.
    """

    __tablename__ = "remembered"
    __table_args__ = (
        UniqueConstraint("classifier_id", "sha256"),
        Index("ix_remembered_asked", "classifier_id", "asked_at", "size"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    classifier_id: Mapped[int] = mapped_column(ForeignKey("classifiers.id", ondelete="CASCADE"))
    asked_at: Mapped[datetime] = mapped_column(Moment)
    why: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    filename: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(String(64))
    frozen: Mapped[bytes] = mapped_column(LargeBinary)
    corrected: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int]
    label: Mapped[str] = mapped_column(String(255))
    probability: Mapped[float]
    known: Mapped[bool]
    p_value: Mapped[float | None]
    prediction_set: Mapped[list[str] | None] = mapped_column(Json)
    candidates: Mapped[list[Any]] = mapped_column(Json)


class RememberedContentRow(Base):
    """The bytes of a remembered picture."""

    __tablename__ = "remembered_contents"

    remembered_id: Mapped[int] = mapped_column(
        ForeignKey("remembered.id", ondelete="CASCADE"), primary_key=True
    )
    content: Mapped[bytes] = mapped_column(LargeBinary)


class VerdictRow(Base):
    """What somebody has said of a remembered answer: once, by the id that it had in the inbox.

    ``label`` is the true one; None: the picture is of no class.
    """

    __tablename__ = "verdicts"
    __table_args__ = (Index("ix_verdicts_asked", "classifier_id", "asked_at"),)

    public_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    classifier_id: Mapped[int] = mapped_column(ForeignKey("classifiers.id", ondelete="CASCADE"))
    asked_at: Mapped[datetime] = mapped_column(Moment)
    judged_at: Mapped[datetime] = mapped_column(Moment)
    action: Mapped[str] = mapped_column(String(16))
    answered: Mapped[str] = mapped_column(String(255))
    probability: Mapped[float]
    known: Mapped[bool]
    label: Mapped[str | None] = mapped_column(String(255))
    right: Mapped[bool]


class JobRow(Base):
    """Long work that a client has asked for: a prediction of many images, or a registration.

    ``id`` is random. Its input, and its results, of which ``result_bytes`` count, lie in a folder
    of the machine that is called ``place``. ``problem``: what it has failed with. ``waits_for``:
    what keeps it from going on. ``attempts``: how often it was begun without getting anywhere.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_tenant_created_at", "tenant", "created_at"),
        Index("ix_jobs_place_state", "place", "state"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), server_default="")
    kind: Mapped[str] = mapped_column(String(16))
    classifier: Mapped[str] = mapped_column(String(160))
    classifier_id: Mapped[int]
    classifier_created_at: Mapped[datetime] = mapped_column(Moment)
    parameters: Mapped[dict[str, Any]] = mapped_column(Json)
    folder: Mapped[str | None] = mapped_column(Text)
    place: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(16))
    cancelling: Mapped[bool] = mapped_column(default=False)
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    failed_files: Mapped[int] = mapped_column(default=0)
    first_errors: Mapped[list[Any]] = mapped_column(Json, default=list)
    skipped: Mapped[int] = mapped_column(default=0)
    input_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    result_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    problem: Mapped[dict[str, Any] | None] = mapped_column(Json)
    waits_for: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)  # one more with each change of this row
    created_at: Mapped[datetime] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class ContentRow(Base):
    """The bytes of an image, apart, so that loading embeddings does not read past them."""

    __tablename__ = "image_contents"

    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SupportRow(Base):
    """An image as a support image of a class. The id is also its key in the cache."""

    __tablename__ = "support"
    __table_args__ = (UniqueConstraint("class_id", "image_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("classes.id", ondelete="CASCADE"))
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    since_revision: Mapped[int] = mapped_column(server_default="0")  # of the content
    annotations: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE)
    created_at: Mapped[datetime] = mapped_column(Moment, default=_now)


class PromptRow(Base):
    """The embedding of a prompt (float32), kept for the next classifier that has it.

    Found by a digest of the text tower and the prompt; ``used_at`` is in seconds since 1970.
    """

    __tablename__ = "prompt_embeddings"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    used_at: Mapped[int] = mapped_column(BigInteger, index=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)


class ChangeRow(Base):
    """What led to a revision of a classifier, for those who hold the one before in memory.

    Images that went with their class are not listed. One that is not followable lists nothing.
    """

    __tablename__ = "changes"

    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True)
    followable: Mapped[bool]
    tuned: Mapped[bool]  # whether it brought a tuning
    classes_added: Mapped[tuple[int, ...]] = mapped_column(Ids)
    classes_removed: Mapped[tuple[int, ...]] = mapped_column(Ids)
    support_added: Mapped[tuple[int, ...]] = mapped_column(Ids)
    support_removed: Mapped[tuple[int, ...]] = mapped_column(Ids)


class AccessVersionRow(Base):
    """A counter of changes of keys and limits, one row: who holds them in memory asks for it."""

    __tablename__ = "access_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)


class KeyRow(Base):
    """A key: the digest of its text, whose it is and what its holder may do."""

    __tablename__ = "keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(String(16), unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    tenant: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(255))
    scopes: Mapped[tuple[str, ...]] = mapped_column(Strings)
    classifiers: Mapped[tuple[str, ...] | None] = mapped_column(Names(none_as_null=True))
    requests_per_second: Mapped[float | None]
    images_per_second: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)  # perhaps still to come
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class TenantLimitsRow(Base):
    """Limits of a tenant; what is null is as the settings have it."""

    __tablename__ = "tenant_limits"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    requests_per_second: Mapped[float | None]
    images_per_second: Mapped[float | None]
    classifiers: Mapped[int | None] = mapped_column(BigInteger)
    classes: Mapped[int | None] = mapped_column(BigInteger)
    images: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int | None] = mapped_column(BigInteger)


class AuditRow(Base):
    """An entry of the audit log: who did what to which classifier, when, with which key.

    Rows are written and, once they are old enough, deleted; never changed.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_tenant", "tenant", "id"),
        Index("ix_audit_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    tenant: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Moment)
    key_id: Mapped[str | None] = mapped_column(String(16))
    user: Mapped[str | None] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(64))
    classifier: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(Json)


class IdempotencyRow(Base):
    """A request with an ``Idempotency-Key`` that was carried out, and its answer.

    Found by a digest of tenant, key of the client and ``Idempotency-Key``. The row comes with the
    change; the answer, compressed, when it is built.
    """

    __tablename__ = "idempotency_keys"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    request: Mapped[str] = mapped_column(String(32))  # random, of one sending of it
    fingerprint: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment, index=True)
    classifier: Mapped[str | None] = mapped_column(String(64))
    content_revision: Mapped[int | None]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class HistoryRow(Base):
    """A change of a classifier's content: when, by which key, and what it changed, in short."""

    __tablename__ = "history"

    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True)  # of the content, after it
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    key_id: Mapped[str | None] = mapped_column(String(16))
    changed: Mapped[dict[str, Any]] = mapped_column(Json)
    settings_before: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE)


class ArchivedClassRow(Base):
    """A class as it was from one content revision until another one removed or renamed it."""

    __tablename__ = "archived_classes"

    id: Mapped[int] = mapped_column(primary_key=True)
    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), index=True
    )
    class_id: Mapped[int]
    label: Mapped[str] = mapped_column(String(255))
    annotations: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE)
    created_at: Mapped[datetime] = mapped_column(Moment)
    since_revision: Mapped[int]
    until_revision: Mapped[int]


class ArchivedSupportRow(Base):
    """A support image as it was from one content revision until another; it keeps its image."""

    __tablename__ = "archived_support"

    id: Mapped[int] = mapped_column(primary_key=True)
    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), index=True
    )
    public_id: Mapped[str] = mapped_column(String(32))
    class_id: Mapped[int]
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    annotations: Mapped[dict[str, Any] | None] = mapped_column(_NULLABLE)
    created_at: Mapped[datetime] = mapped_column(Moment)
    since_revision: Mapped[int]
    until_revision: Mapped[int]
