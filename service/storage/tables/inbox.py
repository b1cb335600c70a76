"""Tables of predictions that are remembered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.checksums import checksum_of
from service.storage.tables.columns import NULLABLE_JSON, Json, Moment
from service.storage.tables.contents import of_objects


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
    checksum: Mapped[int | None] = checksum_of("frozen", "corrected")
    revision: Mapped[int]
    label: Mapped[str] = mapped_column(String(255))
    probability: Mapped[float]
    known: Mapped[bool]
    p_value: Mapped[float | None]
    prediction_set: Mapped[list[str] | None] = mapped_column(Json)
    candidates: Mapped[list[Any]] = mapped_column(Json)
    labels: Mapped[list[str] | None] = mapped_column(NULLABLE_JSON)


class RememberedContentRow(Base):
    """The bytes of a remembered picture, as those of :class:`ContentRow`."""

    __tablename__ = "remembered_contents"
    __table_args__ = (of_objects("remembered_contents"),)

    remembered_id: Mapped[int] = mapped_column(
        ForeignKey("remembered.id", ondelete="CASCADE"), primary_key=True
    )
    content: Mapped[bytes] = mapped_column(LargeBinary)
    object_id: Mapped[int | None] = mapped_column(ForeignKey("content_objects.id"))


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
