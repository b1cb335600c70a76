"""Embeddings that another backbone made, and their replacement."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from adapters.embeddings import ImageEmbeddings
from service.storage.store import blob
from service.storage.tables import ClassifierRow, ContentRow, ImageRow


@dataclass(frozen=True, slots=True)
class StaleImage:
    """An image with embeddings of another backbone, and whether its bytes were kept."""

    id: int
    kept: bool


class StaleEmbeddings:
    """What is left to embed anew under a fingerprint."""

    def __init__(self, engine: Engine, fingerprint: str) -> None:
        self._engine = engine
        self._fingerprint = fingerprint

    def images(self) -> list[StaleImage]:
        """Images to embed anew."""
        with Session(self._engine) as session:
            rows = session.execute(
                select(ImageRow.id, ContentRow.image_id)
                .outerjoin(ContentRow, ContentRow.image_id == ImageRow.id)
                .where(ImageRow.fingerprint != self._fingerprint)
                .order_by(ImageRow.id)
            ).all()
        return [StaleImage(image_id, content_id is not None) for image_id, content_id in rows]

    def contents(self, image_ids: list[int]) -> list[bytes]:
        """The bytes of images, in the order of their ids."""
        with Session(self._engine) as session:
            return list(
                session.scalars(
                    select(ContentRow.content)
                    .where(ContentRow.image_id.in_(image_ids))
                    .order_by(ContentRow.image_id)
                )
            )

    def replace(self, image_ids: list[int], embeddings: ImageEmbeddings) -> None:
        """Write new embeddings of a few images, in one transaction."""
        writer = self._engine.execution_options(writes=True)
        with Session(writer) as session, session.begin():
            for row, image_id in enumerate(image_ids):
                session.execute(
                    update(ImageRow)
                    .where(ImageRow.id == image_id)
                    .values(
                        fingerprint=self._fingerprint,
                        frozen=blob(embeddings.frozen[row]),
                        corrected=blob(embeddings.corrected[row]),
                    )
                )

    def classifiers(self) -> list[str]:
        """Names of classifiers whose texts and tuning are to be made anew."""
        with Session(self._engine) as session:
            return list(
                session.scalars(
                    select(ClassifierRow.name)
                    .where(ClassifierRow.fingerprint != self._fingerprint)
                    .order_by(ClassifierRow.name)
                )
            )
