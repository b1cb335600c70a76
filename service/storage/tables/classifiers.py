"""Tables of classifiers: their classes and support images, and their last changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, false, true
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.checksums import checksum_of
from service.storage.tables.columns import NULLABLE_JSON, QUALIFIED, Ids, Json, Moment, Strings, now


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
    name: Mapped[str] = mapped_column(QUALIFIED, unique=True)
    tenant: Mapped[str] = mapped_column(String(64), server_default="", index=True)
    method: Mapped[str] = mapped_column(String(32))
    templates: Mapped[tuple[str, ...]] = mapped_column(Strings)
    names_carry_meaning: Mapped[bool]
    false_rejection_rate: Mapped[float]
    coverage: Mapped[float | None]
    support_views: Mapped[int] = mapped_column(server_default="1")
    multi_label: Mapped[bool] = mapped_column(server_default=false())
    remember: Mapped[str] = mapped_column(String(16), server_default="none")
    remember_most: Mapped[int] = mapped_column(server_default="1000")
    remember_days: Mapped[float] = mapped_column(server_default="30")
    prompts: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"))
    tuning: Mapped[dict[str, Any]] = mapped_column(Json)
    tuning_is_current: Mapped[bool] = mapped_column(server_default=true())
    tuning_since: Mapped[datetime | None] = mapped_column(Moment)
    images_behind: Mapped[int] = mapped_column(server_default="0")
    revision: Mapped[int] = mapped_column(server_default="0")  # one more with each change
    content_revision: Mapped[int] = mapped_column(server_default="0")  # but for later tunings
    annotations: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    updated_at: Mapped[datetime] = mapped_column(Moment, default=now, onupdate=now)


class ClassRow(Base):
    """A class of a classifier, with the text embedding of its name (float32)."""

    __tablename__ = "classes"
    __table_args__ = (UniqueConstraint("classifier_id", "label"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    classifier_id: Mapped[int] = mapped_column(ForeignKey("classifiers.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column(String(255))
    since_revision: Mapped[int] = mapped_column(server_default="0")  # of the content
    text_embedding: Mapped[bytes | None] = mapped_column(LargeBinary)
    checksum: Mapped[int | None] = checksum_of("text_embedding")
    annotations: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


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
    annotations: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


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
