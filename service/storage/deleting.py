"""Deleting support images, and with the last that uses it the image itself; classifiers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Table, bindparam, delete, exists, select
from sqlalchemy.orm import Session

from service.storage.errors import Damaged, Outdated
from service.storage.records import State
from service.storage.statements import STATE, chunks
from service.storage.tables import (
    ArchivedSupportRow,
    ClassifierRow,
    ClassRow,
    ImageRow,
    PromptedRow,
    SupportRow,
    ViewsRow,
    table_of,
)

# Made once, and of the tables rather than of their mapping: that is most of their cost.
_SOME: BindParameter[Any] = bindparam("some", expanding=True)
_IMAGES, _CLASSES, _SUPPORT = map(table_of, (ImageRow, ClassRow, SupportRow))
_CLASSIFIERS, _VIEWS = map(table_of, (ClassifierRow, ViewsRow))
_ARCHIVED, _PROMPTED = table_of(ArchivedSupportRow), table_of(PromptedRow)
_IMAGES_OF_CLASSES = select(_SUPPORT.c.image_id).where(_SUPPORT.c.class_id.in_(_SOME))
_IMAGES_OF_SUPPORT = select(_SUPPORT.c.image_id).where(_SUPPORT.c.id.in_(_SOME))
_DELETE_CLASSES = delete(_CLASSES).where(_CLASSES.c.id.in_(_SOME))
_DELETE_SUPPORT = delete(_SUPPORT).where(_SUPPORT.c.id.in_(_SOME))
_LOCK_IMAGES = (
    select(_IMAGES.c.id)
    .where(_IMAGES.c.id.in_(_SOME))
    .order_by(_IMAGES.c.id)
    .with_for_update(key_share=True)
)
_DELETE_UNUSED = delete(_IMAGES).where(
    _IMAGES.c.id.in_(_SOME),
    ~exists().where(_SUPPORT.c.image_id == _IMAGES.c.id),
    ~exists().where(_ARCHIVED.c.image_id == _IMAGES.c.id),
)


def _used(embedded: Table, *alike: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a classifier with as many support views has the image; archived ones count, too."""
    supported = (
        select(_SUPPORT.c.id)
        .join(_CLASSES, _SUPPORT.c.class_id == _CLASSES.c.id)
        .join(_CLASSIFIERS, _CLASSES.c.classifier_id == _CLASSIFIERS.c.id)
        .where(
            _SUPPORT.c.image_id == embedded.c.image_id,
            _CLASSIFIERS.c.support_views == embedded.c.views,
            *alike,
        )
        .correlate(embedded)
        .exists()
    )
    return exists().where(_ARCHIVED.c.image_id == embedded.c.image_id) | supported


_DELETE_UNUSED_VIEWS = delete(_VIEWS).where(_VIEWS.c.image_id.in_(_SOME), ~_used(_VIEWS))
# Those of the image itself stay: as a query it is compared with whoever has these prompts.
_DELETE_UNUSED_PROMPTED = delete(_PROMPTED).where(
    _PROMPTED.c.image_id.in_(_SOME),
    _PROMPTED.c.views > 1,
    ~_used(_PROMPTED, _CLASSIFIERS.c.fingerprint == _PROMPTED.c.fingerprint),
)


def delete_classifier(
    session: Session, classifier_id: int, name: str | None
) -> tuple[str, State | None]:
    """Delete a classifier with its classes and the images that nothing else uses.

    Args:
        session: Of the transaction, in which it is the first.
        classifier_id: Which.
        name: The one that it must still have.

    Returns:
        Its name, and the state that it was in; None where that cannot be read.

    Raises:
        Outdated: It is gone already.
    """
    which = select(ClassifierRow.name).where(ClassifierRow.id == classifier_id)
    if name is not None:
        which = which.where(ClassifierRow.name == name)
    # First of all: others that change it are done before its images are looked up.
    if (found := session.scalar(which.with_for_update())) is None:
        raise Outdated
    try:
        before = State(*session.execute(STATE, {"name": found}).one())
    except Damaged:
        before = None
    images = session.scalars(
        select(SupportRow.image_id)
        .join(ClassRow, SupportRow.class_id == ClassRow.id)
        .where(ClassRow.classifier_id == classifier_id)
    )
    archived = select(_ARCHIVED.c.image_id).where(_ARCHIVED.c.classifier_id == classifier_id)
    with letting_go(session, {*images, *session.scalars(archived)}):
        session.execute(delete(ClassifierRow).where(ClassifierRow.id == classifier_id))
    return found, before


@contextmanager
def removing_support(
    session: Session, classes: Sequence[int], support: Sequence[int]
) -> Iterator[None]:
    """Delete classes with their support images, and other support images.

    An image goes with the last that it supports, when the block ends: what the block adds keeps it.
    Costs what is deleted.

    Args:
        session: Of the transaction.
        classes: Ids of classes.
        support: Ids of support images.
    """
    images: set[int] = set()
    for some in chunks(classes):
        images |= set(session.scalars(_IMAGES_OF_CLASSES, {"some": some}))
    for some in chunks(support):
        images |= set(session.scalars(_IMAGES_OF_SUPPORT, {"some": some}))
    with letting_go(session, images):
        for some in chunks(classes):
            session.execute(_DELETE_CLASSES, {"some": some})
        for some in chunks(support):
            session.execute(_DELETE_SUPPORT, {"some": some})
        yield


@contextmanager
def letting_go(session: Session, images: Collection[int]) -> Iterator[None]:
    """Delete those of some images that support nothing any more when the block ends.

    And, of those that stay, embeddings of as many views as no classifier asks for.

    Args:
        session: Of the transaction.
        images: Ids of all images of which the block deletes support images.
    """
    in_order = sorted(images)
    # Who lets go of the same image in another classifier waits here; otherwise each would see the
    # other still using it, and both would leave it.
    for some in chunks(in_order):
        session.execute(_LOCK_IMAGES, {"some": some})
    yield
    for some in chunks(in_order):
        session.execute(_DELETE_UNUSED, {"some": some})
        session.execute(_DELETE_UNUSED_VIEWS, {"some": some})
        session.execute(_DELETE_UNUSED_PROMPTED, {"some": some})
