"""Which support images can be looked at."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.storage.tables import ContentRow, SupportRow


def kept_images(engine: Engine, public_ids: Collection[str]) -> set[str]:
    """Those of some hundred support images whose bytes were kept; reads none of the bytes."""
    with Session(engine) as session:
        return set(
            session.scalars(
                select(SupportRow.public_id)
                .join(ContentRow, SupportRow.image_id == ContentRow.image_id)
                .where(SupportRow.public_id.in_(public_ids))
            )
        )
