"""Undo: the change that brings back what a classifier's content was at a revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from service.images.embedded import SupportImage
from service.problems import CannotRevert, ClassifierNotFound
from service.registry.basis import Basis
from service.registry.changes import ChangeMaker
from service.registry.class_texts import ClassTexts
from service.registry.lru import LoadedClassifiers
from service.registry.optimistic_concurrency import retried_if_outdated
from service.storage.change import Change, Identity, NewClass
from service.storage.errors import Damaged, Outdated
from service.storage.history import ContentAt
from service.storage.records import ClassRecord, SupportRecord
from service.storage.store import Store
from service.tenancy import bare

_NO_TEXTS = ClassTexts()


@dataclass(frozen=True, slots=True)
class Reverting:
    """Reverts of one registry. Methods block.

    Attributes:
        store: Where classifiers are written.
        loaded: Those in memory, with their locks.
        changes: Makes changes.
    """

    store: Store
    loaded: LoadedClassifiers
    changes: ChangeMaker

    @retried_if_outdated
    def __call__(self, name: str, revision: int, texts: ClassTexts = _NO_TEXTS) -> bool:
        """Bring back settings, classes and images of a content revision, as a change of its own.

        The number of support views, the prompts, the name and notes of what stays are as they are.

        Returns:
            Whether anything was changed.

        Raises:
            ClassifierNotFound: There is none of that name.
            CannotRevert: That revision is not known, or images of it are not embedded as the
                classifier asks for.
            TextsNeeded: ``texts`` lacks some of its class names.
        """
        with self.loaded.changing(name) as (entry, live, basis):
            try:
                found = self.store.content_at(name, revision)
            except Damaged as error:
                raise _not_embedded(basis, revision) from error
            if found is None:
                raise ClassifierNotFound(name)
            now = basis.state.content_revision
            if isinstance(found, int):
                raise CannotRevert(
                    f"Classifier {bare(name)!r} is at revision {now}, and {found} is the oldest"
                    f" that is known; {revision} is not between them. GET"
                    f" /v1/classifiers/{bare(name)}/history lists them."
                )
            record, content = found
            if record.content_revision != now:
                raise Outdated
            change = _revert(basis, live.records()[1], content, texts)
            if change is None:
                return False
            self.changes.make(entry, live, basis, replace(change, reverts_to=revision))
            return True


def _revert(
    basis: Basis, images: Mapping[int, SupportRecord], then: ContentAt, texts: ClassTexts
) -> Change | None:
    """The change from one state to the content of another; None: they are the same."""
    settings = then.settings
    kept = _matched(basis, then)
    label_of = {one.class_id: one.label for one in then.classes}
    anew = (settings.templates, settings.names_carry_meaning) != (
        basis.settings.templates,
        basis.settings.names_carry_meaning,
    )
    new = [one for one in then.classes if one.class_id not in kept]
    renewed: list[ClassRecord] = []
    relabelled: set[int] = set()
    for class_id, record in kept.items():
        if (label := label_of[class_id]) != record.label:
            relabelled.add(record.id)
        elif not anew:
            continue
        renewed.append(replace(record, label=label))
    labels = [one.label for one in renewed] + [one.label for one in new]
    rows = iter(texts.under(settings, labels, basis.state.fingerprint))
    renewed = [replace(one, text=next(rows)) for one in renewed]
    added_classes = [
        NewClass(
            label=one.label,
            text=next(rows),
            created_at=one.created_at,
            annotations=one.annotations,
        )
        for one in new
    ]
    stay = {record.id for record in kept.values()}
    removed_classes = [one.id for one in basis.records.values() if one.id not in stay]
    there = {
        (one.public_id, one.class_id): one.id for one in images.values() if one.class_id in stay
    }
    wanted: set[int] = {i for i in then.staying if i in images and images[i].class_id in stay}
    added: list[SupportImage] = []
    identities: dict[int, Identity] = {}
    for class_id, image in then.gone:
        if class_id not in label_of:
            continue
        now = kept.get(class_id)
        place = None if now is None else there.get((image.record.public_id, now.id))
        if place is not None:
            wanted.add(place)
            continue
        identities[len(added)] = image.identity
        added.append(SupportImage(label_of[class_id], image.image))
    removed = [i for i, one in images.items() if one.class_id in stay and i not in wanted]
    change = Change(
        settings=None if settings == basis.settings else settings,
        classes_added=tuple(added_classes),
        classes_renewed=tuple(renewed),
        classes_removed=tuple(removed_classes),
        relabelled=frozenset(relabelled),
        added=tuple(added),
        removed=tuple(removed),
        identities=identities,
    )
    return None if change == Change() else change


def _matched(basis: Basis, then: ContentAt) -> dict[int, ClassRecord]:
    """Classes that are there still, by what they are; or else by their labels, by ids of then."""
    by_id = {record.id: record for record in basis.records.values()}
    kept = {one.class_id: by_id[one.class_id] for one in then.classes if one.class_id in by_id}
    taken = {record.id for record in kept.values()}
    for one in then.classes:
        record = basis.records.get(one.label)
        if one.class_id not in kept and record is not None and record.id not in taken:
            kept[one.class_id] = record
            taken.add(record.id)
    return kept


def _not_embedded(basis: Basis, revision: int) -> CannotRevert:
    views, prompts = basis.settings.support_views, basis.settings.prompts
    how = "without prompts of its own" if prompts is None else f"with the prompts {prompts!r}"
    return CannotRevert(
        f"Images of revision {revision} are not embedded as {views} support views {how}, which the"
        " classifier asks for now. Set support_views (or 1) and prompts to what they were then,"
        " revert, and set them back: then they are embedded anew."
    )
