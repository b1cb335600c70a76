"""A classifier that is written whole: with its images, its tuning and its times, at once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor

from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.images.embedded import EmbeddedImage, SupportImage
from service.storage.fingerprints import Origin, check_no_other
from service.storage.image_rows import write_contents, write_images
from service.storage.records import TuningState
from service.storage.rows import blob, settings_columns, tuning_columns
from service.storage.statements import chunks
from service.storage.support_rows import storable
from service.storage.tables import ClassifierRow, ClassRow, SupportRow
from service.storage.transactions import flush_or_outdated
from service.tenancy import tenant_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeClass:
    """A class; ``created_at`` None: now."""

    label: str
    text: Tensor | None
    created_at: datetime | None
    annotations: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeImage:
    """A support image.

    Attributes:
        public_id: Its id, unless one of the classifier's is taken already; then all get new ones.
        label: Of its class.
        image: With its embeddings; ``read`` gives its bytes, where they are kept.
        is_kept: Whether they are.
        created_at: When it was registered.
    """

    public_id: str
    label: str
    image: EmbeddedImage
    is_kept: bool
    created_at: datetime
    annotations: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeClassifier:
    """A classifier to be written whole.

    Attributes:
        settings: Of the classifier.
        fingerprint: Of what its embeddings come from.
        tuning: Its tuning.
        tuning_state: Whether that is of the images.
        classes: In the order of their registration.
        images: In the order of theirs; their labels are of these classes.
        annotations: Its notes and metadata; so it is with classes and images.
    """

    settings: ClassifierSettings
    fingerprint: str
    tuning: Tuning
    tuning_state: TuningState
    classes: Sequence[WholeClass]
    images: Sequence[WholeImage]
    annotations: dict[str, Any] | None = None


def write_whole(
    session: Session, name: str, whole: WholeClassifier, own: Origin, *, keep: bool
) -> int:
    """Write a new classifier with all that belongs to it.

    An image whose content is stored already keeps the embeddings that are stored, which are the
    same to rounding.

    Args:
        session: Of the one transaction in which all of it is written.
        name: The classifier's.
        whole: To be written.
        own: What its embeddings come from.
        keep: Whether bytes of images are kept.

    Returns:
        Its id.

    Raises:
        Outdated: There is a classifier of that name, or somebody has just written one of the
            images.
        OtherBackbone: The database holds embeddings of another backbone.
        InvalidUpload: A file name cannot be stored.
    """
    check_no_other(session, own)
    state = whole.tuning_state
    tenant = tenant_of(name)
    row = ClassifierRow(
        name=name,
        tenant=tenant,
        annotations=whole.annotations,
        **settings_columns(whole.settings),
        **tuning_columns(whole.tuning, own.fingerprint)
        | {
            "tuning_is_current": state.is_current,
            "tuning_since": state.since,
            "images_behind": state.images_behind,
        },
    )
    session.add(row)
    flush_or_outdated(session)
    now = datetime.now(UTC)
    classes = [
        ClassRow(
            classifier_id=row.id,
            label=one.label,
            text_embedding=blob(one.text),
            annotations=one.annotations,
            created_at=one.created_at or now,
        )
        for one in whole.classes
    ]
    session.add_all(classes)
    session.flush()
    ids = {one.label: one.id for one in classes}
    _write_images(session, tenant, ids, whole.images, own, keep=keep)
    return row.id


def _write_images(
    session: Session,
    tenant: str,
    class_ids: dict[str, int],
    images: Sequence[WholeImage],
    own: Origin,
    *,
    keep: bool,
) -> None:
    if not images:
        return
    known = write_images(session, tenant, [one.image for one in images], own)
    if keep:
        kept = [SupportImage(one.label, one.image) for one in images if one.is_kept]
        write_contents(session, kept, known)
    ids = [one.public_id for one in images]
    taken = any(
        session.scalar(select(SupportRow.id).where(SupportRow.public_id.in_(some)).limit(1))
        for some in chunks(ids)
    )
    session.add_all(
        SupportRow(
            public_id=uuid.uuid4().hex if taken else one.public_id,
            class_id=class_ids[one.label],
            image_id=known[one.image.sha256].id,
            filename=storable(one.image.filename),
            annotations=one.annotations,
            created_at=one.created_at,
        )
        for one in images
    )
    flush_or_outdated(session)
