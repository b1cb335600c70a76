"""The repository of classifiers: read as in :mod:`service.storage.reader`, written here.

Each write is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import replace
from typing import Any, Self, cast

from sqlalchemy import CursorResult, Engine, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.images.embedded import EmbeddedImage, SupportImage
from service.storage.annotations import (
    Annotations,
    write_annotations,
)
from service.storage.archive import forget, stored_settings, write_history
from service.storage.change import Change, Written
from service.storage.change_log import log_change, log_not_followable
from service.storage.class_rows import labels_of, write_classes, write_labels, write_texts
from service.storage.contents import Contents
from service.storage.deleting import delete_classifier, removing_support
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin, check_no_other, refused
from service.storage.importing import WholeClassifier, write_whole
from service.storage.jobs import rename_in_jobs
from service.storage.reader import Reader
from service.storage.recording import Recorded, Recorder
from service.storage.records import (
    State,
)
from service.storage.rows import settings_columns, tuning_columns
from service.storage.sources import check_sources
from service.storage.statements import next_revision, stale_columns
from service.storage.support_rows import renew_support, write_support
from service.storage.tables import ClassifierRow
from service.storage.trained_prompts import hold_prompts
from service.storage.transactions import flush_or_outdated, writing
from service.tenancy import bare, tenant_of

# Made once: that is most of its cost.
_NAME = select(ClassifierRow.name).where(ClassifierRow.id == bindparam("of"))


class Store(Reader):
    """All that is kept, under one backbone's fingerprint, or those of its recipes.

    Methods are blocking and thread-safe. What a method has written is on the disk when it
    returns; if it raises, nothing of it is. All raise ``StorageUnavailable`` where the database
    cannot be used, and ``OtherBackbone`` instead of mixing embeddings; those that write raise
    ``StorageFull``.

    Args:
        engine: Of ``open_database``.
        own: What the embeddings of this service come from.
        store_images: Whether the bytes of images are kept from now on.
        accepts: Whether this process embeds under another fingerprint, too: that of another recipe
            of the same backbone, while a database moves from one to the other. May block.
        prompted: Whether one that it accepts is of the prompts of a classifier.
        keeps_history: Whether what a change removes is kept, to be brought back.
        contents: Bytes of its images; None: all are in the database.
    """

    def __init__(
        self,
        engine: Engine,
        own: Origin,
        *,
        store_images: bool = True,
        accepts: Callable[[str], bool] = refused,
        prompted: Callable[[str], bool] = refused,
        keeps_history: bool = False,
        contents: Contents | None = None,
    ) -> None:
        super().__init__(engine, own, accepts=accepts, prompted=prompted, contents=contents)
        self._store_images = store_images
        self._keeps_history = keeps_history
        self._recorders: tuple[Recorder, ...] = ()

    def placed(
        self, name: str, images: Sequence[tuple[str, EmbeddedImage]]
    ) -> AbstractContextManager[list[SupportImage]]:
        """Put bytes of images that a classifier is to be given where they are kept.

        Before the change, so that none refers to bytes that are not there. Those that no change
        of the block has referred to are cleared away at its end.

        Raises:
            StorageUnavailable, StorageFull: They cannot be put.
        """
        if not self._store_images:
            return nullcontext([SupportImage(*one) for one in images])
        return self._contents.placed_images(tenant_of(name), images)

    def recording(self, recorders: Iterable[Recorder]) -> Self:
        """This store, with recorders of the changes that are made through it; costs nothing."""
        store = copy(self)
        store._recorders = (*self._recorders, *recorders)
        return store

    def make_under(self, fingerprint: str) -> None:
        """Make classifiers under another fingerprint from now on: that of another recipe.

        Raises:
            StorageFull, StorageUnavailable: It cannot be written down.
        """
        self._origins.make_under(fingerprint)

    def follow_recipe(self) -> None:
        """Make classifiers in the recipe that others have moved the database to; reads that."""
        self._origins.follow_recipe()

    def create(self, name: str, change: Change) -> None:
        """Write a new classifier: a change of nothing, with settings, without images.

        Raises:
            Outdated: There is one of that name.
            ValueError: The change lacks settings or a tuning.
        """
        if change.settings is None or change.tuning is None:
            raise ValueError("a classifier is made with settings and a tuning")
        self._origins.follow_recipe()
        with writing(self._engine) as session:
            own = self._origins.own
            if change.fingerprint is not None:
                own = self._origins.checked(session.connection(), change.fingerprint, "There are")
            check_no_other(session, own)
            hold_prompts(session, tenant_of(name), change.settings.prompts, own.fingerprint)
            row = ClassifierRow(
                name=name,
                tenant=tenant_of(name),
                **settings_columns(change.settings),
                **tuning_columns(change.tuning, own.fingerprint) | {"tuning_since": None},
            )
            session.add(row)
            flush_or_outdated(session)
            write_classes(session, row.id, change.classes_added)
            self._record(
                session, Recorded(classifier_id=row.id, name=name, revision=0, change=change)
            )

    def create_whole(self, name: str, whole: WholeClassifier, *sources: State) -> None:
        """Write a new classifier with its images, in one transaction.

        Args:
            name: Its name.
            whole: The classifier.
            sources: Classifiers that its images are of, which must be in these states.

        Raises as :func:`service.storage.importing.write_whole`.
        """
        with writing(self._engine) as session:
            own = self._origins.checked(session.connection(), whole.fingerprint, "The file holds")
            check_sources(session, sources)
            hold_prompts(session, tenant_of(name), whole.settings.prompts, own.fingerprint)
            made = write_whole(session, name, whole, own, keep=self._store_images)
            self._record(
                session, Recorded(classifier_id=made, name=name, revision=0, sources=sources)
            )

    def delete_classifier(self, classifier_id: int, name: str | None = None) -> None:
        """Delete a classifier with its classes and the images that nothing else uses.

        Args:
            classifier_id: Which.
            name: The one that it must still have: ids are given again.

        Raises:
            Outdated: It is gone already.
        """
        with writing(self._engine, frees=True) as session:
            gone, before = delete_classifier(session, classifier_id, name)
            self._record(
                session,
                Recorded(classifier_id=classifier_id, name=gone, revision=None, before=before),
            )

    def write(self, state: State, change: Change) -> Written:
        """Write one change of a classifier, whole or not at all.

        Args:
            state: The one that the change was made for.
            change: One that has a tuning makes it current, and one that has nothing but a tuning
                is no update; one without leaves the stored tuning, which is stale from then on.

        Returns:
            The change with the identifiers of what was added. Costs as many rows as are changed.

        Raises:
            Outdated: The classifier is in another state, or gone; nothing is written then.
            OtherBackbone: This process does not embed as the classifier was.
            ValueError: The images are embedded under another fingerprint than the classifier.
        """
        embedded = [*change.renewed.values(), *(image for _, image in change.added)]
        fingerprint = change.fingerprint or state.fingerprint
        if any(image.fingerprint != fingerprint for image in embedded):
            raise ValueError("embeddings of two fingerprints never meet in a classifier")
        deletes = bool(change.classes_removed or change.removed)
        with writing(self._engine, frees=deletes and not change.added) as session:
            own = self._origins.checked(session.connection(), fingerprint, "The classifier holds")
            if change.fingerprint is not None:  # as where one is created: a move may have arrived
                check_no_other(session, own)
            before = None
            if change.settings is not None:  # of the same revision, or nothing is written
                before = stored_settings(session, state.id)
            # First of all: other writers of this classifier wait here until this change is whole.
            following = next_revision(state)
            updated = session.execute(following.values(**_columns(state, change)))
            if cast("CursorResult[Any]", updated).rowcount == 0:
                raise self._not_changed(session, state)
            name = _name(session, state)
            tenant = tenant_of(name)
            check_sources(session, change.sources)
            if change.fingerprint is not None and change.settings is not None:
                hold_prompts(session, tenant, change.settings.prompts, change.fingerprint)
            revision = state.content_revision + (not change.is_tuning)
            if not change.is_tuning:
                self._remember(session, state.id, revision, change, before)
            before_labels = labels_of(session, (*change.classes_removed, *change.relabelled))
            write_texts(session, change.classes_renewed)
            renew_support(session, tenant, tuple(change.renewed.values()), own)
            with removing_support(session, change.classes_removed, change.removed):
                write_labels(
                    session, [one for one in change.classes_renewed if one.id in change.relabelled]
                )
                classes = write_classes(session, state.id, change.classes_added, revision)
                support = write_support(
                    session,
                    tenant,
                    state.id,
                    change.added,
                    own,
                    keep=self._store_images,
                    identities=change.identities,
                    revision=revision,
                )
            written = Written(
                revision=state.revision + 1,
                content_revision=revision,
                settings=change.settings,
                tuning=change.tuning,
                tuning_is_current=change.tuning is not None,
                classes=classes,
                classes_renewed=change.classes_renewed,
                classes_removed=change.classes_removed,
                support=support,
                embeddings=change.embeddings_added(),
                removed=change.removed,
                renewed=change.renewed,
            )
            log_change(session, state.id, change, written)
            recorded = _recorded(name, state, change, written)
            self._record(session, replace(recorded, labels_before=before_labels))
            return written

    def rename(self, state: State, name: str, to: str) -> None:
        """Give a classifier another name, which its jobs follow.

        Raises:
            Outdated: It is in another state, or somebody has just taken that name.
        """
        with writing(self._engine) as session:
            values = {"name": to, "content_revision": ClassifierRow.content_revision + 1}
            written = self._renumbered(session, state, values)
            log_not_followable(session, state.id, written.revision)
            rename_in_jobs(session, state, to)
            self._remember(session, state.id, written.content_revision, Change(), None, "renamed")
            renamed = _recorded(name, state, Change(), written)
            self._record(session, replace(renamed, renamed_to=to))

    def annotate(
        self,
        state: State,
        class_id: int | None,
        support_id: int | None,
        annotations: Annotations | None,
    ) -> Written:
        """Write notes and metadata of a classifier, a class or an image.

        Raises:
            Outdated: The classifier is in another state, or gone.
        """
        with writing(self._engine) as session:
            values = {"content_revision": ClassifierRow.content_revision + 1}
            written = self._renumbered(session, state, values)
            write_annotations(session, state.id, class_id, support_id, annotations)
            log_change(session, state.id, Change(), written)
            self._remember(session, state.id, written.content_revision, Change(), None, "annotated")
            self._record(session, _recorded(_name(session, state), state, Change(), written))
            return written

    def _remember(
        self,
        session: Session,
        classifier_id: int,
        revision: int,
        change: Change,
        settings_before: dict[str, Any] | None,
        what: str = "changed",
    ) -> None:
        if self._keeps_history:
            write_history(session, classifier_id, revision, change, settings_before, what)
        else:  # what was kept before has a gap from now on
            forget(session, classifier_id, revision)

    def forget_history(self, classifier_id: int) -> None:
        """Let go of all that is kept of a classifier's past, at once."""
        with writing(self._engine, frees=True) as session:
            lock = select(ClassifierRow.content_revision).where(ClassifierRow.id == classifier_id)
            revision = session.scalar(lock.with_for_update())
            if revision is not None:
                forget(session, classifier_id, revision)

    def _renumbered(self, session: Session, state: State, values: dict[str, Any]) -> Written:
        """Count a change up that leaves classes, images and tuning as they are."""
        try:
            updated = session.execute(next_revision(state).values(**values))
        except IntegrityError as error:
            raise Outdated from error
        if cast("CursorResult[Any]", updated).rowcount == 0:
            raise self._not_changed(session, state)
        return Written(revision=state.revision + 1, content_revision=state.content_revision + 1)

    def _record(self, session: Session, recorded: Recorded) -> None:
        for recorder in self._recorders:
            recorder(session, recorded)

    def _not_changed(self, session: Session, state: State) -> Exception:
        """Why a change did not find the state that it was made for.

        Raises:
            OtherBackbone: That is why: it was moved to embeddings that are not made here.
        """
        found = session.execute(
            select(ClassifierRow.name, ClassifierRow.fingerprint).where(
                ClassifierRow.id == state.id
            )
        ).one_or_none()
        if found is not None:
            what = f"Classifier {bare(found.name)!r} holds"
            self._origins.checked(session.connection(), found.fingerprint, what)
        return Outdated()


def _recorded(name: str, state: State, change: Change, written: Written) -> Recorded:
    return Recorded(
        classifier_id=state.id,
        name=name,
        revision=written.revision,
        content_revision=written.content_revision,
        before=state,
        change=change,
        written=written,
    )


def _name(session: Session, state: State) -> str:
    """The name of a classifier, which the transaction has found in that state."""
    return session.execute(_NAME, {"of": state.id}).scalar_one()


def _columns(state: State, change: Change) -> dict[str, Any]:
    """Columns of a classifier's row that a change of that state sets."""
    columns: dict[str, Any] = {}
    if change.settings is not None:
        columns |= settings_columns(change.settings)
    if not change.is_tuning:
        columns["content_revision"] = ClassifierRow.content_revision + 1
    if change.tuning is None:
        return columns | stale_columns(change)
    columns |= tuning_columns(change.tuning, change.fingerprint or state.fingerprint)
    if change.is_tuning:  # of the same images and settings, later
        columns["updated_at"] = ClassifierRow.updated_at
    return columns
