"""Tables of trained prompts that are chosen for a classifier, and of embeddings under them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.checksums import checksum_of
from service.storage.tables.columns import Json, Moment, now


class TrainedPromptsRow(Base):
    """Trained prompts of a tenant, by their name: the file, and what it is.

    ``model`` is the fingerprint of the model that they were uploaded for, with its correction, and
    ``fingerprint`` that of embeddings by this model with these prompts.
    """

    __tablename__ = "trained_prompts"
    __table_args__ = (UniqueConstraint("tenant", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), server_default="")
    name: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"), index=True)
    described: Mapped[dict[str, Any]] = mapped_column(Json)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class PromptedRow(Base):
    """The embeddings of an image under trained prompts, of so many support views; 1: its own.

    They go with the image, or with the last prompts of that fingerprint that its tenant has; those
    of several views with the last classifier that asks for so many.
    """

    __tablename__ = "prompted_embeddings"

    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    views: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(
        ForeignKey("backbones.fingerprint"), primary_key=True, index=True
    )
    frozen: Mapped[bytes] = mapped_column(LargeBinary)
    corrected: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[int | None] = checksum_of("frozen", "corrected")
