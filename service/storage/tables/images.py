"""Tables of images by their content, of their embeddings and those of prompts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.checksums import checksum_of
from service.storage.tables.columns import QUALIFIED, Moment, now
from service.storage.tables.contents import of_objects


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
    content_key: Mapped[str] = mapped_column(QUALIFIED, unique=True)
    media_type: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"), index=True)
    frozen: Mapped[bytes] = mapped_column(LargeBinary)
    corrected: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[int | None] = checksum_of("frozen", "corrected")


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
    checksum: Mapped[int | None] = checksum_of("frozen", "corrected")


class ReEmbeddingRow(Base):
    """The move of the database from one recipe of its backbone to another; one row, or none.

    Classifiers of both are there meanwhile. One process works on it: the ``worker``, which beats.
    """

    __tablename__ = "re_embedding"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"))
    target: Mapped[str] = mapped_column(ForeignKey("backbones.fingerprint"))
    since: Mapped[datetime] = mapped_column(Moment, default=now)
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
    checksum: Mapped[int | None] = checksum_of("frozen", "corrected")


class ContentRow(Base):
    """The bytes of an image, apart, so that loading embeddings does not read past them.

    Where they are outside the database ``content`` is empty, and ``object_id`` says where they are.
    """

    __tablename__ = "image_contents"
    __table_args__ = (of_objects("image_contents"),)

    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    content: Mapped[bytes] = mapped_column(LargeBinary)
    object_id: Mapped[int | None] = mapped_column(ForeignKey("content_objects.id"))


class PromptRow(Base):
    """The embedding of a prompt (float32), kept for the next classifier that has it.

    Found by a digest of the text tower and the prompt; ``used_at`` is in seconds since 1970.
    """

    __tablename__ = "prompt_embeddings"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    used_at: Mapped[int] = mapped_column(BigInteger, index=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[int | None] = checksum_of("embedding")
