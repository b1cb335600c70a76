"""Which backbone a stored classifier is of, so that it can be read whoever serves it."""

from __future__ import annotations

from sqlalchemy import Engine, select

from service.storage.fingerprints import Origin, origin_of_row
from service.storage.tables import BackboneRow, ClassifierRow


def origin_of_classifier(engine: Engine, name: str) -> Origin | None:
    """What the embeddings of a classifier come from; None if there is none of that name."""
    with engine.connect() as connection:
        row = connection.execute(
            select(*BackboneRow.__table__.columns)
            .join(ClassifierRow, ClassifierRow.fingerprint == BackboneRow.fingerprint)
            .where(ClassifierRow.name == name)
        ).one_or_none()
    return None if row is None else origin_of_row(row)
