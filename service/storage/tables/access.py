"""Tables of keys, sessions, limits and what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.columns import NULLABLE_JSON, Json, Moment, Names, Strings


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


class SessionRow(Base):
    """A session of a browser that has logged in: the digest of its token, and with which key."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(16), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


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
    headers: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
