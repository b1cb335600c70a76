"""Embeddings in the recipe that a database moves to: what is missing, written, taken up, settled.

They are written beside the old ones, classifiers change over to them one by one, and then they take
the place of the old ones; the move itself is :mod:`service.storage.recipe_move`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    CursorResult,
    Engine,
    and_,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from service.problems import ImageDamaged
from service.storage.change_log import log_not_followable
from service.storage.classifier_loading import load_classifier
from service.storage.contents import HELD, Contents, KeptBytes
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin
from service.storage.re_embedded import Blobs, write_re_embedded
from service.storage.records import State, StoredClassifier
from service.storage.rows import tuning_columns
from service.storage.stale import StaleImage
from service.storage.statements import chunks
from service.storage.tables import (
    ClassifierRow,
    ContentRow,
    ImageRow,
    ReEmbeddedRow,
    ReEmbeddingRow,
    ViewsRow,
    table_of,
)
from service.storage.transactions import one_state, writing
from service.tenancy import bare

# Rows that take the place of others in one transaction.
_SETTLED = 256
_BESIDE, _IMAGES, _VIEWS = (table_of(row) for row in (ReEmbeddedRow, ImageRow, ViewsRow))
_TO_SETTLE = select(_BESIDE).order_by(_BESIDE.c.image_id, _BESIDE.c.views).limit(_SETTLED)
_NEW: dict[str, BindParameter[Any]] = {
    name: bindparam(f"new_{name}") for name in ("fingerprint", "frozen", "corrected", "checksum")
}
_SETTLE_IMAGES = update(_IMAGES).where(_IMAGES.c.id == bindparam("of")).values(_NEW)
_SETTLE_VIEWS = (
    update(_VIEWS)
    .where(_VIEWS.c.image_id == bindparam("of"), _VIEWS.c.views == bindparam("of_views"))
    .values(_NEW)
)
_LET_GO = delete(_BESIDE).where(
    _BESIDE.c.image_id == bindparam("of"), _BESIDE.c.views == bindparam("of_views")
)


class MovedEmbeddings:
    """The new embeddings of one database. Methods block, and raise as those of a store do.

    Args:
        engine: Of the database.
        own: What its embeddings come from, but for the fingerprint.
        contents: Bytes of its images; None: all are in the database.
    """

    def __init__(self, engine: Engine, own: Origin, contents: Contents | None = None) -> None:
        self._engine = engine
        self._contents = Contents(engine) if contents is None else contents
        self._own = own

    def missing(self, target: str, after: int, most: int) -> list[StaleImage]:
        """Images that lack embeddings in a recipe, by their ids.

        Args:
            target: Of the recipe.
            after: The last id that was seen.
            most: How many at most.
        """
        numbers: defaultdict[int, list[int]] = defaultdict(list)
        with one_state(self._engine) as connection:
            found = lacking(target).where(ImageRow.id > after).order_by(ImageRow.id).limit(most)
            rows = connection.execute(found).all()
            for some in chunks([row.id for row in rows]):
                of_views = select(ViewsRow.image_id, ViewsRow.views)
                for image_id, number in connection.execute(
                    of_views.where(ViewsRow.image_id.in_(some))
                ):
                    numbers[image_id].append(number)
        return [
            StaleImage(row.id, bare(row.content_key), True, tuple(numbers[row.id])) for row in rows
        ]

    def write_embedded(
        self, target: str, embedded: Mapping[int, Mapping[int, ImageEmbeddings]]
    ) -> None:
        """Write new embeddings of a few images beside the old ones, in one transaction.

        Those of images that are gone meanwhile are left out.

        Args:
            target: What they come from.
            embedded: By the image's id and the number of views, one row each.

        Raises:
            Outdated: Somebody else has just written the same.
        """
        with writing(self._engine) as session:
            of_itself = dict(
                session.execute(
                    select(ImageRow.id, ImageRow.fingerprint)
                    .where(ImageRow.id.in_(embedded))
                    .order_by(ImageRow.id)
                    .with_for_update(key_share=True)
                ).all()
            )
            there = {(i, 1): fingerprint for i, fingerprint in of_itself.items()}
            of_views = select(ViewsRow.image_id, ViewsRow.views, ViewsRow.fingerprint)
            for image_id, views, fingerprint in session.execute(
                of_views.where(ViewsRow.image_id.in_(embedded))
            ):
                there[image_id, views] = fingerprint
            beside = {
                (image_id, views): Blobs.of(row)
                for image_id, of_number in embedded.items()
                for views, row in of_number.items()
                if there.get((image_id, views), target) != target
            }
            write_re_embedded(session, beside, target)

    def contents(self, image_ids: list[int]) -> dict[int, bytes | ImageDamaged]:
        """The bytes of images that are still there, or their damage, by their ids."""
        found = HELD.add_columns(ContentRow.image_id)
        with self._engine.connect() as connection:
            rows = connection.execute(found.where(ContentRow.image_id.in_(image_ids))).all()
        read = self._contents.read_all(KeptBytes.of(row) for row in rows)
        return {
            row.image_id: content
            for row, content in zip(rows, read, strict=True)
            if content is not None
        }

    def classifiers(self, target: str) -> list[str]:
        """Names of those that are not of that recipe yet."""
        with Session(self._engine) as session:
            return list(
                session.scalars(
                    select(ClassifierRow.name)
                    .where(ClassifierRow.fingerprint != target, ClassifierRow.prompts.is_(None))
                    .order_by(ClassifierRow.name)
                )
            )

    def load(self, name: str, target: str) -> StoredClassifier | None:
        """A classifier as it is, with its images' embeddings in the recipe that it moves to.

        Raises:
            OtherBackbone: Some of them are not made yet.
            ClassifierDamaged: Something in it cannot be read.
        """
        with one_state(self._engine) as connection:
            return load_classifier(
                connection, name, replace(self._own, fingerprint=target), left_by_others=True
            )

    def change_over(self, state: State, target: str, tuning: Tuning, behind: int | None) -> State:
        """Make a classifier one of the other recipe, as a revision of its own.

        Args:
            state: The one that was loaded with embeddings of that recipe.
            target: The recipe's.
            tuning: Of these embeddings.
            behind: How many images came or went since it was tuned; None: it is current.

        Raises:
            Outdated: It was changed meanwhile; nothing is written then.
        """
        after = state._replace(revision=state.revision + 1, fingerprint=target)
        columns = tuning_columns(tuning, target) | {"updated_at": ClassifierRow.updated_at}
        if behind is not None:
            columns |= {"tuning_is_current": False, "images_behind": behind}
        with writing(self._engine) as session:
            changed = session.execute(
                update(ClassifierRow)
                .where(
                    ClassifierRow.id == state.id,
                    ClassifierRow.fingerprint == state.fingerprint,
                    ClassifierRow.created_at == state.created_at,
                    ClassifierRow.revision == state.revision,
                )
                .values(revision=after.revision, **columns)
            )
            if cast("CursorResult[Any]", changed).rowcount == 0:
                raise Outdated
            log_not_followable(session, state.id, after.revision)
        return after

    def settle(self, target: str) -> bool:
        """Let some of the new embeddings take the place of the old ones, in one transaction.

        Returns:
            Whether some are left; otherwise the move is over.
        """
        with writing(self._engine) as session:
            rows = session.execute(_TO_SETTLE).all()
            if not rows:
                session.execute(delete(ReEmbeddingRow))
                return False
            connection = session.connection()
            new = [row for row in rows if row.fingerprint == target]
            for statement, some in (
                (_SETTLE_IMAGES, [row for row in new if row.views == 1]),
                (_SETTLE_VIEWS, [row for row in new if row.views != 1]),
            ):
                if some:
                    connection.execute(statement, [_settled(row) for row in some])
            gone = [{"of": row.image_id, "of_views": row.views} for row in rows]
            connection.execute(_LET_GO, gone)
            return True


def _settled(row: Any) -> dict[str, Any]:
    return {
        "of": row.image_id,
        "of_views": row.views,
        "new_fingerprint": row.fingerprint,
        "new_frozen": row.frozen,
        "new_corrected": row.corrected,
        "new_checksum": row.checksum,
    }


def lacking(target: str) -> Any:
    """Images with a row of another fingerprint, beside which there is none of this one."""
    itself, of_views = aliased(ReEmbeddedRow), aliased(ReEmbeddedRow)
    lacking = (
        select(ViewsRow.image_id)
        .outerjoin(
            of_views,
            and_(
                of_views.image_id == ViewsRow.image_id,
                of_views.views == ViewsRow.views,
                of_views.fingerprint == target,
            ),
        )
        .where(ViewsRow.fingerprint != target, of_views.image_id.is_(None))
    )
    return (
        select(ImageRow.id, ImageRow.content_key)
        .outerjoin(
            itself,
            and_(
                itself.image_id == ImageRow.id,
                itself.views == 1,
                itself.fingerprint == target,
            ),
        )
        .where(
            or_(
                and_(ImageRow.fingerprint != target, itself.image_id.is_(None)),
                ImageRow.id.in_(lacking),
            )
        )
    )
