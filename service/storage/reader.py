"""What is read of classifiers: each read sees one state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, bindparam, select
from sqlalchemy.orm import Session
from torch import Tensor

from service.problems import ImageDamaged
from service.storage.accepted_origins import AcceptedOrigins
from service.storage.annotations import (
    Annotations,
    annotations_of_classes,
    annotations_of_images,
)
from service.storage.change import Written
from service.storage.classifier_loading import classes_of, load_classifier, loaded_record
from service.storage.contents import HELD, Contents, KeptBytes
from service.storage.fingerprints import Origin, refused
from service.storage.following import written_since
from service.storage.history import ContentAt, PastChange, content_at, oldest_revision, past_changes
from service.storage.kept_support import KeptSupport, kept_support
from service.storage.latest_states import LatestStates
from service.storage.listing import ListedPage, Listing, listed, listed_one, listed_page
from service.storage.query_embeddings import query_embeddings
from service.storage.records import (
    ClassifierRecord,
    ClassRecord,
    State,
    StoredClassifier,
    SupportRecord,
)
from service.storage.statements import STATE
from service.storage.support_lookup import registered, support_image
from service.storage.tables import ClassifierRow, ContentRow, SupportRow
from service.storage.transactions import one_state
from service.tenancy import bare, tenant_of

_HELD = HELD.join(SupportRow, SupportRow.image_id == ContentRow.image_id).where(
    SupportRow.id == bindparam("support_id")
)


class Reader:
    """All that is kept, to be read, under one backbone's fingerprint, or those of its recipes.

    Methods are blocking and thread-safe. All raise ``StorageUnavailable`` where the database cannot
    be used, and ``OtherBackbone`` instead of mixing embeddings.

    Args:
        engine: Of ``open_database``.
        own: What the embeddings of this service come from.
        accepts: Whether this process embeds under another fingerprint, too: that of another recipe
            of the same backbone, while a database moves from one to the other. May block.
        prompted: Whether one that it accepts is of the prompts of a classifier.
        contents: Bytes of its images; None: all are in the database.
    """

    def __init__(
        self,
        engine: Engine,
        own: Origin,
        *,
        accepts: Callable[[str], bool] = refused,
        prompted: Callable[[str], bool] = refused,
        contents: Contents | None = None,
    ) -> None:
        self._engine = engine
        self._contents = Contents(engine) if contents is None else contents
        self._origins = AcceptedOrigins(engine, own, accepts, prompted)
        self._latest = LatestStates(engine)

    @property
    def fingerprint(self) -> str:
        """What classifiers that are made now are embedded under."""
        return self._origins.own.fingerprint

    def origin(self, fingerprint: str) -> Origin:
        """What embeddings of a classifier of this store come from."""
        return self._origins.of(fingerprint)

    def classifiers(self, tenant: str | None = None) -> list[ClassifierRecord]:
        """All classifiers of a tenant by name, or of all tenants."""
        with Session(self._engine) as session:
            return listed(session, self._origins.accept, tenant)

    def page(self, listing: Listing) -> ListedPage:
        """A page of a tenant's classifiers."""
        with Session(self._engine) as session:
            return listed_page(session, self._origins.accept, listing)

    def classifier(self, name: str) -> ClassifierRecord | None:
        """One classifier, or None."""
        with Session(self._engine) as session:
            found = session.scalar(select(ClassifierRow.id).where(ClassifierRow.name == name))
            return None if found is None else listed_one(session, self._origins.accept, found)

    def load(self, name: str) -> StoredClassifier | None:
        """A classifier with its classes, support images and embeddings, or None.

        Raises:
            ClassifierDamaged: Something in it cannot be read.
        """
        with one_state(self._engine) as connection:
            return load_classifier(connection, name, self._origins.own, self._origins.accept)

    def query_embeddings(self, name: str, fingerprint: str | None = None) -> dict[int, Tensor]:
        """What support images of a classifier with several views are as queries, by their ids.

        Args:
            name: The classifier's.
            fingerprint: Of the recipe that is asked for; the classifier's if None.

        Raises as :func:`service.storage.query_embeddings.query_embeddings`.
        """
        with one_state(self._engine) as connection:
            return query_embeddings(connection, name, fingerprint)

    def state(self, name: str) -> State | None:
        """Which state a classifier is in, or None; costs one row."""
        with self._engine.connect() as connection:
            row = connection.execute(STATE, {"name": name}).one_or_none()
            if row is None:
                return None
            self._origins.checked(connection, row.fingerprint, f"Classifier {bare(name)!r} holds")
            return State(*row)

    def latest_state(self, name: str) -> State | None:
        """As :meth:`state`, for many threads that ask at once: one statement answers all of them.

        It begins after the call, so that the state is one of a moment after it.
        """
        state = self._latest.of(name)
        if state is not None and not self._origins.accept(state.fingerprint):
            with self._engine.connect() as connection:
                self._origins.checked(
                    connection, state.fingerprint, f"Classifier {bare(name)!r} holds"
                )
        return state

    def close(self) -> None:
        """Let go of the connection that this has for itself."""
        self._latest.close()

    def find(self, name: str) -> int | None:
        """The id of a classifier, in whatever condition it is; None if there is none."""
        with self._engine.connect() as connection:
            return connection.scalar(select(ClassifierRow.id).where(ClassifierRow.name == name))

    def history(
        self, record: ClassifierRecord, limit: int, before: int | None
    ) -> tuple[list[PastChange], int]:
        """Changes of a classifier, the last first, and the oldest revision that is known."""
        with one_state(self._engine) as connection:
            changes = past_changes(connection, record.id, limit, before)
            return changes, oldest_revision(connection, record)

    def content_at(
        self, name: str, revision: int
    ) -> tuple[ClassifierRecord, ContentAt] | int | None:
        """A classifier, and what its content was; else the oldest known revision, or None."""
        with one_state(self._engine) as connection:
            record = loaded_record(connection, name)
            if record is None:
                return None
            own = self._origins.checked(
                connection, record.fingerprint, f"Classifier {bare(name)!r} holds"
            )
            content = content_at(connection, record, own, revision)
            return oldest_revision(connection, record) if content is None else (record, content)

    def kept_support(
        self,
        name: str,
        *,
        public_ids: Sequence[str] | None = None,
        class_ids: Sequence[int] | None = None,
    ) -> tuple[ClassifierRecord, list[KeptSupport]] | None:
        """A classifier, and support images of it that are to be so elsewhere; None: there is none.

        Args:
            name: Its name.
            public_ids: Those that are asked for; None: all.
            class_ids: Those of these classes; None: of all.
        """
        with one_state(self._engine) as connection:
            record = loaded_record(connection, name)
            if record is None:
                return None
            own = self._origins.checked(
                connection, record.fingerprint, f"Classifier {bare(name)!r} holds"
            )
            return record, kept_support(
                connection, record, own, public_ids=public_ids, class_ids=class_ids
            )

    def classes(self, of: ClassifierRecord) -> list[tuple[ClassRecord, Annotations | None]]:
        """Classes of a classifier, in the order of their registration, and notes of them."""
        with one_state(self._engine) as connection:
            found = annotations_of_classes(connection, of.id)
            return [(one, found.get(one.label)) for one in classes_of(connection, of.id)]

    def annotations(self, classifier_id: int, class_id: int | None) -> dict[Any, Annotations]:
        """Notes and metadata of all classes by label, or of the images of one by their ids."""
        with self._engine.connect() as connection:
            if class_id is None:
                return dict(annotations_of_classes(connection, classifier_id))
            return dict(annotations_of_images(connection, class_id))

    def written_since(self, state: State) -> Written | None:
        """The net effect of all changes after a state, at a cost of what they changed.

        Returns:
            What to apply to a classifier in that state to be in the latest one; None where it is
            to be read anew: where that is damaged, :meth:`load` tells.
        """
        with one_state(self._engine) as connection:
            written = written_since(connection, state, self.origin(state.fingerprint))
            if written is not None:  # it is of that recipe still
                self._origins.checked(connection, state.fingerprint, "The classifier holds")
            return written

    def registered(
        self, name: str, classifier_id: int, images: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], SupportRecord]:
        """Those of some images, by label and SHA-256, that their class has already."""
        with self._engine.connect() as connection:
            return registered(connection, tenant_of(name), classifier_id, images)

    def support_image(self, classifier_id: int, label: str, public_id: str) -> SupportRecord | None:
        """A support image of a class by its public id, or None; costs one row."""
        with self._engine.connect() as connection:
            return support_image(connection, classifier_id, label, public_id)

    def content(self, support_id: int) -> bytes | None:
        """The bytes of a support image; None if they were not kept.

        Raises:
            ImageDamaged: They were, and are gone or others.
        """
        held = self._held(support_id)
        return None if held is None else self._contents.read(held)

    def _held(self, support_id: int) -> KeptBytes | None:
        with self._engine.connect() as connection:
            row = connection.execute(_HELD, {"support_id": support_id}).one_or_none()
        return None if row is None else KeptBytes.of(row)

    def contents(self, support_ids: Iterable[int]) -> Iterator[bytes | ImageDamaged | None]:
        """The bytes of support images in their order, some of them read ahead.

        Yields:
            Bytes, or their damage; None where they were not kept, or are gone meanwhile.
        """
        rows = map(self._held, support_ids)
        return self._contents.read_all(rows)

    def kept_images(self, public_ids: Collection[str]) -> set[str]:
        """Those of some hundred support images whose bytes were kept; reads none of the bytes."""
        with Session(self._engine) as session:
            return set(
                session.scalars(
                    select(SupportRow.public_id)
                    .join(ContentRow, SupportRow.image_id == ContentRow.image_id)
                    .where(SupportRow.public_id.in_(public_ids))
                )
            )
