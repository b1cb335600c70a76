"""A written change as a classifier in memory takes it over, worked out before answers wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from adapters.change import Change
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet
from service.classifier_settings import ClassifierSettings
from service.registry.fitting import class_set
from service.registry.negatives import ImagesOfChange, id_of_negatives
from service.registry.tuning_time import tuned_at_once
from service.storage.change import Written
from service.storage.records import ClassRecord, SupportRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """What a written change makes of the state before it.

    Attributes:
        settings: From now on.
        records: All classes from now on, by label; None: they stay as they are.
        classes: Those that can be answered, as tensors; None likewise.
        removed: Ids of the images that are gone, negatives among them.
        come: How many images of each class came, by its id.
        gone: How many are gone.
        postponed: Whether its tuning is for later.
        of_head: The change as a head sees it.
    """

    settings: ClassifierSettings
    records: dict[str, ClassRecord] | None
    classes: ClassSet | None
    removed: list[int]
    come: Counter[int]
    gone: Counter[int]
    postponed: bool
    of_head: Change

    @classmethod
    def of(
        cls,
        written: Written,
        classifier: FewShotClassifier,
        settings: ClassifierSettings,
        classes: Mapping[str, ClassRecord],
        support: Mapping[int, SupportRecord],
        images_of: Counter[int],
        *,
        may_postpone: bool,
    ) -> Self:
        """Work it out; costs what the change does.

        Args:
            written: The change.
            classifier: What answers, before it.
            settings: Before it.
            classes: Before it, by label.
            support: Images before it, by id.
            images_of: How many images each class has before it, by its id.
            may_postpone: Whether its tuning may be for later, if that costs far more than the rest.
        """
        after = settings if written.settings is None else written.settings
        records = None
        if written.classes or written.classes_removed or written.classes_renewed:
            records = {one.label: one for one in written.classes_after(classes.values())}
        known = classes if records is None else records
        mark = id_of_negatives(known)
        images = ImagesOfChange.of(
            written, written.added(), classifier.held, classifier.negatives, mark
        )
        removed = [] if images.removed is None else images.removed.tolist()
        removed += images.negatives_removed.tolist()
        postponed = may_postpone and not tuned_at_once(
            before=len(support),
            added=len(written.support),
            removed=len(removed),
            settings=written.settings is not None,
        )
        come = Counter(record.class_id for record in written.support)
        gone = Counter(support[i].class_id for i in removed)
        answered: ClassSet | None = None
        if (
            records is not None
            or written.settings is not None
            or (not after.names_carry_meaning and _answers_change(images_of, come, gone))
        ):
            left = Counter(images_of)
            left.update(come)
            left.subtract(gone)
            answered = class_set(after, texts_of(known), +left, mark)  # of those with images
        return cls(
            settings=after,
            records=records,
            classes=answered,
            removed=removed,
            come=come,
            gone=gone,
            postponed=postponed,
            of_head=Change(
                classes=answered,
                tuning=None if postponed else written.tuning,
                added=images.added,
                removed=images.removed,
                negatives=images.negatives,
            ),
        )


def texts_of(records: Mapping[str, ClassRecord]) -> dict[int, Tensor | None]:
    """Text embeddings of classes by their ids."""
    return {record.id: record.text for record in records.values()}


def _answers_change(
    images_of: Mapping[int, int], come: Mapping[int, int], gone: Mapping[int, int]
) -> bool:
    """Whether other classes have images once these numbers of them come and go."""
    return any(images_of[c] == 0 for c in come) or any(
        images_of[c] + come.get(c, 0) == leaving for c, leaving in gone.items()
    )
