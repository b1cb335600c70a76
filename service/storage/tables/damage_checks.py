"""Table of the check for damage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.tables.base import Base
from service.storage.tables.columns import NULLABLE_JSON, Moment


class DamageCheckRow(Base):
    """When the database is to be checked for damage, and what was found last; one row, or none.

    One process checks at a time: the ``worker``, which beats.
    """

    __tablename__ = "damage_checks"

    id: Mapped[int] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(Moment)
    worker: Mapped[str | None] = mapped_column(String(32))
    beat: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    seconds: Mapped[float | None]
    found: Mapped[dict[str, Any] | None] = mapped_column(NULLABLE_JSON)
