"""A change of a classifier's support set, as one value: tuned, written, then applied to memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.images.embedded import EmbeddedImage, SupportImage
from service.storage.records import ClassRecord, State, SupportRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClass:
    """A class to be declared; ``text`` is the (d,) unit embedding of its name, or None.

    One that was there before keeps when it was made, its notes and metadata.
    """

    label: str
    text: Tensor | None = None
    created_at: datetime | None = None
    annotations: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an image keeps that was a support image before, here or in another classifier.

    Attributes:
        public_id: Its id; None: it gets a new one.
        created_at: When it was registered.
        annotations: Its notes and metadata, as they are stored; None: none.
    """

    public_id: str | None
    created_at: datetime
    annotations: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a classifier's support set, in records; what is left out stays as it is.

    :class:`adapters.change.Change` is the same in tensors, for the head.

    Attributes:
        settings: From now on; the classifier is fitted anew under them.
        fingerprint: Of what its embeddings come from, from now on, all of which are renewed.
        tuning: What leave-one-out makes of the support set after the change. None: the stored
            tuning stays, and is stale from now on.
        classes_added: In the order of their registration.
        classes_renewed: Classes that stay, with other text embeddings.
        classes_removed: Ids; the images of these classes go with them.
        added: Support images to add; their labels are of classes that stay or are added.
        removed: Ids of support images to remove, of classes that stay.
        renewed: Support images that stay, all of them, with other embeddings, by their ids.
        identities: Of those of ``added`` that keep one, by their places; their bytes are stored.
        relabelled: Ids of those of ``classes_renewed`` that have another label.
        reverts_to: The content revision that it brings back, if it does.
        sources: Other classifiers that images of ``added`` are of, which must be in these states.
    """

    settings: ClassifierSettings | None = None
    fingerprint: str | None = None
    tuning: Tuning | None = None
    classes_added: tuple[NewClass, ...] = ()
    classes_renewed: tuple[ClassRecord, ...] = ()
    classes_removed: tuple[int, ...] = ()
    added: tuple[SupportImage, ...] = ()
    removed: tuple[int, ...] = ()
    renewed: Mapping[int, EmbeddedImage] = field(default_factory=dict)
    identities: Mapping[int, Identity] = field(default_factory=dict)
    relabelled: frozenset[int] = frozenset()
    sources: tuple[State, ...] = ()
    reverts_to: int | None = None

    @property
    def is_tuning(self) -> bool:
        """Whether it has nothing but a tuning, of a support set that stays as it is."""
        return self.tuning is not None and self == Change(tuning=self.tuning)

    def classes_kept(self, classes: Iterable[ClassRecord]) -> list[ClassRecord]:
        """Of all classes before the change those that stay, as they are after it."""
        return _kept(classes, self.classes_removed, self.classes_renewed)

    def images_removed(self, support: GrowingSupport) -> Tensor | None:
        """(n,) ids of all images that go, one by one or with their class; None: none can.

        Args:
            support: The support set before the change.
        """
        return _removed(support, self.classes_removed, self.removed)

    def embeddings_added(self) -> ImageEmbeddings | None:
        """The embeddings of ``added``, row by row; None where nothing is added."""
        if not self.added:
            return None
        return ImageEmbeddings.concatenate([image.embeddings for _, image in self.added])


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What has become of a classifier, as the database has it, whichever process wrote it.

    Either one change, or all those together that followed a state: what came and went between is
    in neither list.

    Attributes:
        revision: Of the classifier after it.
        content_revision: Of it after that, which tunings do not count up.
        settings: From now on; None: as they were.
        tuning: From now on; None: the old one stays.
        tuning_is_current: Whether the tuning is of the support set as it is now.
        classes: Those that were added, in the order of their registration.
        classes_renewed: Classes that stay, with other text embeddings.
        classes_removed: Ids; the images of these classes are gone with them.
        support: Images that were added.
        embeddings: Of ``support``, row by row; None where nothing was added.
        removed: Ids of support images that were removed one by one; their classes may be gone
            since.
        renewed: Support images that stay, all of them, with other embeddings, by their ids.
    """

    revision: int
    content_revision: int = 0
    settings: ClassifierSettings | None = None
    tuning: Tuning | None = None
    tuning_is_current: bool = False
    classes: list[ClassRecord] = field(default_factory=list)
    classes_renewed: tuple[ClassRecord, ...] = ()
    classes_removed: tuple[int, ...] = ()
    support: list[SupportRecord] = field(default_factory=list)
    embeddings: ImageEmbeddings | None = None
    removed: tuple[int, ...] = ()
    renewed: Mapping[int, EmbeddedImage] = field(default_factory=dict)

    def added(self) -> SupportSet | None:
        """The support images that were added, as a head sees them; None where there are none."""
        if self.embeddings is None:
            return None
        return SupportSet(
            torch.tensor([record.id for record in self.support]),
            torch.tensor([record.class_id for record in self.support]),
            self.embeddings,
        )

    def classes_after(self, classes: Iterable[ClassRecord]) -> list[ClassRecord]:
        """All classes after the change, of those before it; in the order of registration."""
        return [*_kept(classes, self.classes_removed, self.classes_renewed), *self.classes]

    def images_removed(self, support: GrowingSupport) -> Tensor | None:
        """(n,) ids of all images that are gone, one by one or with their class; None: none can.

        Args:
            support: The support set before the change.
        """
        return _removed(support, self.classes_removed, self.removed)


def renewed_support(support: SupportSet, images: Mapping[int, EmbeddedImage]) -> SupportSet:
    """A support set with other embeddings of images, by their ids; as it is if none are given.

    Costs a copy.
    """
    if not images:
        return support
    rows = [
        images[i].embeddings if i in images else support.embeddings[place : place + 1]
        for place, i in enumerate(support.ids.tolist())
    ]
    return SupportSet(support.ids, support.labels, ImageEmbeddings.concatenate(rows))


def _kept(
    classes: Iterable[ClassRecord], removed: Collection[int], renewed: Iterable[ClassRecord]
) -> list[ClassRecord]:
    others = {record.id: record for record in renewed}
    gone = set(removed)
    return [others.get(record.id, record) for record in classes if record.id not in gone]


def _removed(
    support: GrowingSupport, classes_removed: Collection[int], removed: Collection[int]
) -> Tensor | None:
    one_by_one = torch.tensor(list(removed), dtype=torch.int64)
    if not classes_removed:
        return one_by_one if removed else None
    ids = support.present_ids()
    with_class = torch.isin(support.present_labels(), torch.tensor(list(classes_removed)))
    # Of those that were removed one by one, classes may be gone since.
    return torch.cat([one_by_one, ids[with_class & ~torch.isin(ids, one_by_one)]])
