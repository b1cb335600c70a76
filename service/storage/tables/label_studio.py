"""Tables of Label Studio's annotations: what a classifier is to learn of them, and has learnt."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.columns import NULLABLE_JSON, Moment, Strings


class AnnotationRow(Base):
    """An annotation as Label Studio has told of it last: the desired state of a classifier.

    ``project`` tells apart projects of one id, as after a new installation. Of its versions the
    one of the newest ``updated_at`` counts, and none after it is ``deleted``. It is settled when
    ``done`` has reached ``wanted``; ``due_at`` says when it is worked on, if it is not.

    A deleted task is a row as well, of the negative of its id: annotations of it that are heard of
    later are deleted, too. So is a request to compare the whole project, of the id 0.
    """

    __tablename__ = "label_studio_annotations"
    __table_args__ = (Index("ix_label_studio_annotations_due_at", "due_at"),)

    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), primary_key=True
    )
    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    annotation: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    task: Mapped[int | None] = mapped_column(BigInteger)
    updated_at: Mapped[datetime | None] = mapped_column(Moment)
    deleted: Mapped[bool]
    image: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[tuple[str, ...]] = mapped_column(Strings)
    told_by: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
    wanted: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str | None] = mapped_column(Text)


class HeldRow(Base):
    """An image with a label that an annotation holds in a classifier, or is about to."""

    __tablename__ = "label_studio_held"
    __table_args__ = (
        Index("ix_label_studio_held_annotation", "classifier_id", "project", "annotation"),
    )

    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    label: Mapped[str] = mapped_column(String(255), primary_key=True)
    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    annotation: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class LearntRow(Base):
    """A support image that came by annotations, and goes when none holds it any more."""

    __tablename__ = "label_studio_learnt"

    classifier_id: Mapped[int] = mapped_column(
        ForeignKey("classifiers.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    label: Mapped[str] = mapped_column(String(255), primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32))
