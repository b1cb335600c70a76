"""Tables of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.columns import Json, Moment


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
