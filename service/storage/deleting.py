"""Deleting support images, and with the last that uses it the image itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.storage.statements import chunks, delete_unused
from service.storage.tables import ClassRow, ImageRow, SupportRow


def delete_support(session: Session, classes: Sequence[int], support: Sequence[int]) -> None:
    """Delete classes with their support images, and other support images; looks at no others.

    Args:
        session: Of the transaction.
        classes: Ids of classes.
        support: Ids of support images.
    """
    images: set[int] = set()
    for some in chunks(classes):
        of_class = select(SupportRow.image_id).where(SupportRow.class_id.in_(some))
        images |= set(session.scalars(of_class))
    for some in chunks(support):
        images |= set(session.scalars(select(SupportRow.image_id).where(SupportRow.id.in_(some))))
    with letting_go(session, images):
        for some in chunks(classes):
            session.execute(delete(ClassRow).where(ClassRow.id.in_(some)))
        for some in chunks(support):
            session.execute(delete(SupportRow).where(SupportRow.id.in_(some)))


@contextmanager
def letting_go(session: Session, images: Collection[int]) -> Iterator[None]:
    """Delete those of some images that support nothing any more when the block ends.

    Args:
        session: Of the transaction.
        images: Ids of all images of which the block deletes support images.
    """
    in_order = sorted(images)
    # Who lets go of the same image in another classifier waits here; otherwise each would see the
    # other still using it, and both would leave it.
    for some in chunks(in_order):
        session.execute(
            select(ImageRow.id)
            .where(ImageRow.id.in_(some))
            .order_by(ImageRow.id)
            .with_for_update(key_share=True)
        )
    yield
    for some in chunks(in_order):
        session.execute(delete_unused(some))
