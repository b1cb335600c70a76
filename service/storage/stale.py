"""Embeddings that another backbone made, and their replacement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, bindparam, or_, select, update
from sqlalchemy.orm import Session
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from service.problems import ImageDamaged
from service.storage.change import Change
from service.storage.change_log import log_not_followable
from service.storage.class_rows import write_texts
from service.storage.classifier_loading import load_classifier
from service.storage.contents import HELD, Contents, KeptBytes
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin
from service.storage.query_embeddings import query_embeddings
from service.storage.re_embedded import Blobs
from service.storage.records import State, StoredClassifier
from service.storage.rows import tuning_columns
from service.storage.statements import chunks
from service.storage.tables import (
    ClassifierRow,
    ContentRow,
    ImageRow,
    TrainedPromptsRow,
    ViewsRow,
)
from service.storage.transactions import one_state, writing
from service.storage.uses import uses_of_image
from service.tenancy import bare

_HELD = HELD.where(ContentRow.image_id == bindparam("of"))


@dataclass(frozen=True, slots=True)
class StaleImage:
    """An image with embeddings of another backbone.

    Attributes:
        id: Its row's.
        sha256: Of its bytes.
        kept: Whether these were kept.
        views: The numbers of views, beside one, that classifiers have of it.
    """

    id: int
    sha256: str
    kept: bool
    views: tuple[int, ...] = ()


class StaleEmbeddings:
    """What is left to embed anew under a fingerprint.

    Args:
        engine: Of the database.
        own: What embeddings come from now.
        contents: Bytes of its images; None: all are in the database.
    """

    def __init__(self, engine: Engine, own: Origin, contents: Contents | None = None) -> None:
        self._engine = engine
        self._contents = Contents(engine) if contents is None else contents
        self._own = own
        self._fingerprint = own.fingerprint

    def images(self) -> list[StaleImage]:
        """Images to embed anew."""
        views = select(ViewsRow.image_id).where(ViewsRow.fingerprint != self._fingerprint)
        numbers: defaultdict[int, list[int]] = defaultdict(list)
        with Session(self._engine) as session:
            rows = session.execute(
                select(ImageRow.id, ImageRow.content_key, ContentRow.image_id)
                .outerjoin(ContentRow, ContentRow.image_id == ImageRow.id)
                .where(or_(ImageRow.fingerprint != self._fingerprint, ImageRow.id.in_(views)))
                .order_by(ImageRow.id)
            ).all()
            for some in chunks([row.id for row in rows]):
                found = select(ViewsRow.image_id, ViewsRow.views).where(ViewsRow.image_id.in_(some))
                for image_id, number in session.execute(found):
                    numbers[image_id].append(number)
        return [
            StaleImage(image_id, bare(key), content_id is not None, tuple(numbers[image_id]))
            for image_id, key, content_id in rows
        ]

    def contents(self, image_ids: list[int]) -> list[bytes | ImageDamaged]:
        """The bytes of images, or their damage, in the order of their ids."""
        return list(self.read(sorted(image_ids)))

    def read(self, image_ids: Iterable[int]) -> Iterator[bytes | ImageDamaged]:
        """The bytes of images, or their damage, in their order; one is in memory, or a few."""
        for content in self._contents.read_all(map(self._held, image_ids)):
            yield ImageDamaged("are gone") if content is None else content

    def _held(self, image_id: int) -> KeptBytes | None:
        with self._engine.connect() as connection:
            row = connection.execute(_HELD, {"of": image_id}).one_or_none()
        return None if row is None else KeptBytes.of(row)

    def uses(self, image_id: int) -> list[str]:
        """Where the service shows an image: a path for each class that it supports."""
        with self._engine.connect() as connection:
            return uses_of_image(connection, image_id)

    def replace(self, embedded: Mapping[int, Mapping[int, ImageEmbeddings]]) -> None:
        """Write new embeddings of a few images, in one transaction.

        Args:
            embedded: By the image's id and the number of views, one row each; of one view, the
                image's own, for all of them.
        """
        with writing(self._engine) as session:
            for image_id, of_views in embedded.items():
                for views, row in of_views.items():
                    which = (
                        update(ImageRow).where(ImageRow.id == image_id)
                        if views == 1
                        else update(ViewsRow).where(
                            ViewsRow.image_id == image_id, ViewsRow.views == views
                        )
                    )
                    session.execute(
                        which.values(
                            fingerprint=self._fingerprint,
                            **Blobs.of(row)._asdict(),
                        )
                    )

    def classifiers(self) -> list[str]:
        """Names of classifiers whose texts and tuning are to be made anew."""
        with Session(self._engine) as session:
            return list(
                session.scalars(
                    select(ClassifierRow.name)
                    .where(
                        ClassifierRow.fingerprint != self._fingerprint,
                        ClassifierRow.prompts.is_(None),
                    )
                    .order_by(ClassifierRow.name)
                )
            )

    def prompted(self) -> list[str]:
        """Names of classifiers with prompts of their own that are of another model's."""
        known = select(TrainedPromptsRow.fingerprint).where(
            TrainedPromptsRow.model == self._own.model
        )
        with Session(self._engine) as session:
            return list(
                session.scalars(
                    select(ClassifierRow.name)
                    .where(
                        ClassifierRow.prompts.is_not(None), ClassifierRow.fingerprint.not_in(known)
                    )
                    .order_by(ClassifierRow.name)
                )
            )

    def load(self, name: str) -> StoredClassifier | None:
        """A classifier whose images are embedded anew, or None.

        Raises:
            OtherBackbone: Somebody has added images with the old backbone meanwhile.
            ClassifierDamaged: Something in it cannot be read.
        """
        with one_state(self._engine) as connection:
            return load_classifier(connection, name, self._own, left_by_others=True)

    def query_embeddings(self, name: str) -> dict[int, Tensor]:
        """What its support images are as queries, by their ids, as far as they are embedded anew.

        Raises as :func:`service.storage.query_embeddings.query_embeddings`.
        """
        with self._engine.connect() as connection:
            return query_embeddings(connection, name, self._fingerprint)

    def write(self, state: State, change: Change) -> None:
        """Write the new texts and tuning of a classifier that was loaded so.

        A service that still has the old ones in memory learns of it with its next request.

        Args:
            state: The one that was loaded.
            change: Its tuning, and all its classes with their new texts.

        Raises:
            Outdated: It was changed meanwhile; nothing is written then.
            ValueError: There is no tuning.
        """
        if change.tuning is None:
            raise ValueError("the stored tuning is another backbone's")
        with writing(self._engine) as session:
            changed = session.execute(
                update(ClassifierRow)
                .where(
                    ClassifierRow.id == state.id,
                    ClassifierRow.created_at == state.created_at,
                    ClassifierRow.revision == state.revision,
                )
                .values(
                    revision=ClassifierRow.revision + 1,
                    **tuning_columns(change.tuning, self._fingerprint),
                )
            )
            if cast("CursorResult[Any]", changed).rowcount == 0:
                raise Outdated
            write_texts(session, change.classes_renewed)
            log_not_followable(session, state.id, state.revision + 1)
