"""Tables of what classifiers were before their changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.columns import NULLABLE_JSON, Json, Moment


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
    settings_before: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)


class ArchivedClassRow(Base):
    """A class as it was from one content revision until another one removed or renamed it."""

    __tablename__ = "archived_classes"

    id: Mapped[int] = mapped_column(primary_key=True)
    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), index=True
    )
    class_id: Mapped[int]
    label: Mapped[str] = mapped_column(String(255))
    annotations: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
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
    annotations: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)
    since_revision: Mapped[int]
    until_revision: Mapped[int]
