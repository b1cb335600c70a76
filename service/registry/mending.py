"""Damaged embeddings made anew, from the bytes of their image or the name of their class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi_problem.error import StatusProblem
from sqlalchemy import Engine, and_, delete, select, update

from adapters.encoder import Encoder
from service.images.decoding import decode
from service.problems import StorageFull, StorageUnavailable
from service.registry.fitting import class_texts
from service.registry.reembedding import embedded
from service.settings import Settings
from service.storage.contents import HELD, Contents, KeptBytes
from service.storage.damage import Damage
from service.storage.errors import Damaged
from service.storage.re_embedded import Blobs
from service.storage.rows import blob, classifier_record
from service.storage.stale import StaleImage
from service.storage.tables import (
    Base,
    ClassifierRow,
    ClassRow,
    ContentRow,
    ImageRow,
    PromptRow,
    checksum,
)
from service.storage.transactions import writing
from service.tenancy import bare


class Mending:
    """Mends embeddings of one database; called by the scrubber, in its thread.

    A row is written only while it holds the damaged bytes that were read.

    Args:
        engine: Of the database.
        contents: Bytes of its images.
        encoder_of: The encoder of a fingerprint; None: this process has none. May block.
        settings: Bounds of images and passes.
    """

    def __init__(
        self,
        engine: Engine,
        contents: Contents,
        encoder_of: Callable[[str], Encoder | None],
        settings: Settings,
    ) -> None:
        self._engine = engine
        self._contents = contents
        self._encoder_of = encoder_of
        self._settings = settings

    def __call__(self, damage: Damage) -> bool:
        """Mend a place, if it can be; whether it could."""
        if damage.kind not in ("embeddings", "text"):
            return False
        try:
            if damage.table == PromptRow.__tablename__:
                return self._drop(damage)
            if damage.table == ClassRow.__tablename__:
                return self._mend_class(damage)
            return self._mend_image(damage)
        except (StatusProblem, Damaged, StorageFull, StorageUnavailable):
            return False  # which is told as what it is where it was found

    def _drop(self, damage: Damage) -> bool:
        """A row of the cache of prompts: whoever needs it makes it anew."""
        with writing(self._engine) as session:
            session.execute(delete(PromptRow).where(PromptRow.id == damage.key[0]))
        return True

    def _mend_class(self, damage: Damage) -> bool:
        with self._engine.connect() as connection:
            row = connection.execute(
                select(ClassRow.label, ClassRow.text_embedding, ClassRow.checksum).where(
                    ClassRow.id == damage.key[0]
                )
            ).one_or_none()
            of = connection.execute(
                select(*ClassifierRow.__table__.columns)
                .join(ClassRow, ClassRow.classifier_id == ClassifierRow.id)
                .where(ClassRow.id == damage.key[0])
            ).one_or_none()
        if row is None or of is None:
            return True  # deleted meanwhile
        encoder = self._encoder_of(of.fingerprint)
        if encoder is None:
            return False
        [text] = class_texts(classifier_record(of, 0, 0).settings, [row.label], encoder)
        made = blob(text)
        with writing(self._engine) as session:
            session.execute(
                update(ClassRow)
                .where(ClassRow.id == damage.key[0], ClassRow.checksum == row.checksum)
                .values(text_embedding=made, checksum=checksum(made))
            )
        return True

    def _mend_image(self, damage: Damage) -> bool:
        table = Base.metadata.tables[damage.table]
        keys = zip(table.primary_key.columns, damage.key, strict=True)
        which = and_(*(column == value for column, value in keys))
        if "image_id" not in table.c and table.name != ImageRow.__tablename__:
            return False  # a query that is remembered: its answer stays
        with self._engine.connect() as connection:
            row = connection.execute(select(table).where(which)).one_or_none()
            held = connection.execute(
                HELD.where(ContentRow.image_id == damage.key[0])
            ).one_or_none()
        if row is None:
            return True
        encoder = None if held is None else self._encoder_of(row.fingerprint)
        if held is None or encoder is None:
            return False
        views: int = getattr(row, "views", 1)
        made = self._embedded(held, views, encoder)
        with writing(self._engine) as session:
            session.execute(
                update(table)
                .where(
                    which,
                    table.c.fingerprint == row.fingerprint,
                    table.c.checksum == row.checksum,
                )
                .values(made._asdict())
            )
        return True

    def _embedded(self, held: Any, views: int, encoder: Encoder) -> Blobs:
        """Embeddings of an image, whose bytes are whole."""
        content = self._contents.read(KeptBytes.of(held))
        sha256 = bare(held.digest)
        side, step = encoder.image_size, self._settings.max_batch or encoder.batch
        picture = decode(content, self._settings.max_image_pixels, "It", side=side)
        image = StaleImage(0, sha256, True, (views,) if views > 1 else ())
        return Blobs.of(embedded([image], [picture], encoder, step)[0][views])
