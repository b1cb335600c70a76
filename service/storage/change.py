"""A change of a classifier's support set, as one value: tuned, written, then applied to memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.images.embedded import SupportImage
from service.storage.records import ClassRecord, SupportRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class NewClass:
    """A class to be declared; ``text`` is the (d,) unit embedding of its name, or None."""

    label: str
    text: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a classifier's support set, in records; what is left out stays as it is.

    :class:`adapters.change.Change` is the same in tensors, for the head.

    Attributes:
        settings: From now on; the classifier is fitted anew under them.
        tuning: What leave-one-out makes of the support set after the change; storage takes no
            change without it.
        classes_added: In the order of their registration.
        classes_renewed: Classes that stay, with other text embeddings.
        classes_removed: Ids; the images of these classes go with them.
        added: Support images to add; their labels are of classes that stay or are added.
        removed: Ids of support images to remove, of classes that stay.
    """

    settings: ClassifierSettings | None = None
    tuning: Tuning | None = None
    classes_added: tuple[NewClass, ...] = ()
    classes_renewed: tuple[ClassRecord, ...] = ()
    classes_removed: tuple[int, ...] = ()
    added: tuple[SupportImage, ...] = ()
    removed: tuple[int, ...] = ()

    def classes_kept(self, classes: Iterable[ClassRecord]) -> list[ClassRecord]:
        """Of all classes before the change those that stay, as they are after it."""
        renewed = {record.id: record for record in self.classes_renewed}
        gone = set(self.classes_removed)
        return [renewed.get(record.id, record) for record in classes if record.id not in gone]

    def images_removed(self, support: SupportSet) -> Tensor | None:
        """(n,) ids of all images that go, one by one or with their class; None: none can.

        Args:
            support: The support set before the change.
        """
        if not self.classes_removed:
            return torch.tensor(self.removed) if self.removed else None
        with_class = torch.isin(support.labels, torch.tensor(self.classes_removed))
        return torch.cat([torch.tensor(self.removed, dtype=torch.int64), support.ids[with_class]])

    def embeddings_added(self) -> ImageEmbeddings | None:
        """The embeddings of ``added``, row by row; None where nothing is added."""
        if not self.added:
            return None
        return ImageEmbeddings.concatenate([image.embeddings for _, image in self.added])


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A change as the database has it, with the identifiers that storage gave.

    Attributes:
        change: As it was written.
        revision: Of the classifier after it.
        classes: ``change.classes_added``, one by one.
        support: ``change.added``, one by one.
    """

    change: Change
    revision: int
    classes: list[ClassRecord] = field(default_factory=list)
    support: list[SupportRecord] = field(default_factory=list)

    def added(self) -> SupportSet | None:
        """The support images that were added, as a head sees them; None where there are none."""
        embeddings = self.change.embeddings_added()
        if embeddings is None:
            return None
        return SupportSet(
            torch.tensor([record.id for record in self.support]),
            torch.tensor([record.class_id for record in self.support]),
            embeddings,
        )
