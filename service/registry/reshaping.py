"""What becomes of whole classifiers and classes: copied, renamed, merged, moved; notes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from service.images.embedded import EmbeddedImage, SupportImage
from service.name_validation import NOT_THESE
from service.problems import (
    ClassExists,
    ClassifierExists,
    ClassifierNotFound,
    ImageNotFound,
    InvalidName,
)
from service.registry.basis import Basis
from service.registry.changes import ChangeMaker
from service.registry.class_texts import ClassTexts
from service.registry.definitions import Definitions
from service.registry.entry import committing
from service.registry.lru import LoadedClassifiers
from service.registry.optimistic_concurrency import retried_if_outdated
from service.registry.support_views import ViewsNeeded
from service.storage.annotations import Annotations
from service.storage.change import Change, Identity
from service.storage.importing import WholeClass, WholeClassifier, WholeImage
from service.storage.kept_support import KeptSupport
from service.storage.store import Store
from service.tenancy import bare

_NO_TEXTS = ClassTexts()
# Ids that a problem names.
_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of images that were moved or taken over.

    Attributes:
        added: How many a class has got that it had not.
        duplicates: How many it had already, byte for byte.
    """

    added: int
    duplicates: int


class Reshaping:
    """Changes of whole classifiers and classes. Methods block; each is one transaction.

    Args:
        store: Where classifiers are written.
        loaded: Those in memory, with their locks.
        changes: Makes changes.
        definitions: What classes become.
    """

    def __init__(
        self,
        store: Store,
        loaded: LoadedClassifiers,
        changes: ChangeMaker,
        definitions: Definitions,
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._changes = changes
        self._definitions = definitions

    @retried_if_outdated
    def copy(self, name: str, to: str) -> None:
        """Create a classifier with all that another one has; no bytes of images are copied.

        Raises:
            ClassifierNotFound: There is none of that name.
            ClassifierExists: There is one of the other name.
        """
        with self._loaded.writing(to) as entry:
            self._check_free(to)
            kept = self._store.kept_support(name)
            if kept is None:
                raise ClassifierNotFound(name)
            stored, images = kept
            whole = WholeClassifier(
                settings=stored.settings,
                fingerprint=stored.fingerprint,
                tuning=stored.tuning,
                tuning_state=stored.tuning_state,
                classes=[
                    WholeClass(
                        label=one.label,
                        text=one.text,
                        created_at=one.created_at,
                        annotations=annotations,
                    )
                    for one, annotations in self._store.classes(stored)
                ],
                images=[
                    WholeImage(
                        public_id=image.record.public_id,
                        label=image.label,
                        image=image.image,
                        is_kept=False,
                        created_at=image.record.created_at,
                        annotations=image.identity.annotations,
                    )
                    for image in images
                ],
                annotations=stored.annotations,
            )
            self._store.create_whole(to, whole, stored.state)
            entry.live = None

    @retried_if_outdated
    def rename(self, name: str, to: str) -> None:
        """Give a classifier another name; its old one is free then.

        Raises:
            ClassifierNotFound: There is none of that name.
            ClassifierExists: There is one of the other name.
        """
        if name == to:
            self._loaded.get(name)
            return
        with self._both(name, to):
            self._check_free(to)
            record = self._store.classifier(name)
            if record is None:
                raise ClassifierNotFound(name)
            self._store.rename(record.state, name, to)

    @retried_if_outdated
    def merge(
        self,
        name: str,
        other: str,
        texts: ClassTexts = _NO_TEXTS,
        *,
        embedded: Mapping[str, EmbeddedImage],
    ) -> Moved:
        """Take over classes and images of another classifier, which stays as it is.

        Args:
            name: Which takes them over.
            other: Of which.
            texts: Of class names that are new.
            embedded: Its images as this one embeds them, by SHA-256, where that is another way.

        Raises:
            ClassifierNotFound: There is none of that name.
            RequestTooLarge: There would be too many classes.
            TextsNeeded, ViewsNeeded: ``texts`` or ``embedded`` lack some.
        """
        with self._loaded.changing(name) as (entry, live, basis):
            found = self._store.kept_support(other)
            if found is None:
                raise ClassifierNotFound(other)
            record, images = found
            own, views = basis.state.fingerprint, basis.settings.support_views
            if (record.fingerprint, record.settings.support_views) != (own, views):
                images = _as_embedded(images, embedded, views, own)
            labels = [one.label for one, _ in self._store.classes(record)]
            change, moved = self._added(name, basis, labels, images, texts)
            if change.classes_added or change.added:
                self._changes.make(entry, live, basis, replace(change, sources=(record.state,)))
            return moved

    @retried_if_outdated
    def rename_class(self, name: str, label: str, to: str, texts: ClassTexts = _NO_TEXTS) -> None:
        """Give a class another label, with the text embedding of that.

        Raises:
            ClassifierNotFound, ClassNotFound: There is none.
            ClassExists: There is another class of that label.
            InvalidName: It is that of explicit negatives.
            TextsNeeded: ``texts`` lacks that of the label.
        """
        _check_no_negatives(label, to)
        with self._loaded.changing(name) as (entry, live, basis):
            record = basis.find_class(label)
            if to == label:
                return
            if to in basis.records:
                raise ClassExists(name, to)
            [text] = texts.under(basis.settings, [to], basis.state.fingerprint)
            renewed = replace(record, label=to, text=text)
            change = Change(classes_renewed=(renewed,), relabelled=frozenset({record.id}))
            self._changes.make(entry, live, basis, change)

    @retried_if_outdated
    def merge_classes(self, name: str, label: str, others: Sequence[str]) -> Moved:
        """Move all images of other classes into one, and delete those.

        Raises:
            ClassifierNotFound, ClassNotFound: There is none.
            InvalidName: One is that of explicit negatives.
        """
        _check_no_negatives(label, *others)
        with self._loaded.changing(name) as (entry, live, basis):
            basis.find_class(label)
            ids = tuple(basis.find_class(one).id for one in dict.fromkeys(others) if one != label)
            if not ids:
                return Moved(added=0, duplicates=0)
            images = self._kept(basis, class_ids=ids)
            change, moved = self._moved(name, basis, label, images)
            self._changes.make(entry, live, basis, replace(change, classes_removed=ids))
            return moved

    @retried_if_outdated
    def move_images(
        self, name: str, image_ids: Sequence[str], to: str, texts: ClassTexts = _NO_TEXTS
    ) -> Moved:
        """Move images into a class, all or none; their ids stay. A new label becomes a class.

        Raises:
            ClassifierNotFound, ImageNotFound: There is none.
            TextsNeeded: ``texts`` lacks that of a new label.
        """
        with self._loaded.changing(name) as (entry, live, basis):
            images = self._named(basis, image_ids)
            moving = [one for one in images if one.label != to]
            if not moving:
                return Moved(added=0, duplicates=len(images))
            change, moved = self._moved(name, basis, to, moving)
            new = self._definitions.new_classes(
                basis.settings,
                basis.fresh([to]),
                len(basis.records),
                texts,
                basis.state.fingerprint,
            )
            gone = tuple(one.record.id for one in moving)
            self._changes.make(entry, live, basis, replace(change, classes_added=new, removed=gone))
            return replace(moved, duplicates=moved.duplicates + len(images) - len(moving))

    @retried_if_outdated
    def delete_images(self, name: str, image_ids: Sequence[str]) -> int:
        """Delete images of any classes, all or none; returns how many.

        Raises:
            ClassifierNotFound, ImageNotFound: There is none.
        """
        with self._loaded.changing(name) as (entry, live, basis):
            gone = tuple(one.record.id for one in self._named(basis, image_ids))
            if gone:
                self._changes.make(entry, live, basis, Change(removed=gone))
            return len(gone)

    @retried_if_outdated
    def annotate(
        self,
        name: str,
        annotations: Annotations | None,
        label: str | None = None,
        image_id: str | None = None,
    ) -> None:
        """Write notes and metadata of a classifier, a class of it, or an image of that.

        Raises:
            ClassifierNotFound, ClassNotFound, ImageNotFound: There is none.
        """
        with self._loaded.changing(name) as (entry, live, basis):
            class_id = support_id = None
            if label is not None:
                class_id = basis.find_class(label).id
                if image_id is not None:
                    found = self._store.support_image(basis.state.id, label, image_id)
                    if found is None:
                        raise _no_images(name, [image_id])
                    support_id = found.id
            with committing(entry, live):
                live.renumber(self._store.annotate(basis.state, class_id, support_id, annotations))

    # Shared by the changes

    def _added(
        self,
        name: str,
        basis: Basis,
        labels: Sequence[str],
        images: Sequence[KeptSupport],
        texts: ClassTexts,
    ) -> tuple[Change, Moved]:
        """The change that adds classes and images which are stored, but for those there are."""
        new = self._definitions.new_classes(
            basis.settings, basis.fresh(labels), len(basis.records), texts, basis.state.fingerprint
        )
        asked = {(one.label, one.record.sha256) for one in images}
        known = set(self._store.registered(name, basis.state.id, asked))
        added: list[SupportImage] = []
        identities: dict[int, Identity] = {}
        for one in images:
            if (key := (one.label, one.record.sha256)) in known:
                continue
            known.add(key)
            identities[len(added)] = replace(one.identity, public_id=None)
            added.append(SupportImage(one.label, one.image))
        change = Change(classes_added=new, added=tuple(added), identities=identities)
        return change, Moved(added=len(added), duplicates=len(images) - len(added))

    def _moved(
        self, name: str, basis: Basis, to: str, images: Sequence[KeptSupport]
    ) -> tuple[Change, Moved]:
        """The images of a change as images of one class, but for those that it has."""
        asked = [(to, one.record.sha256) for one in images]
        known = {sha256 for _, sha256 in self._store.registered(name, basis.state.id, asked)}
        added: list[SupportImage] = []
        identities: dict[int, Identity] = {}
        for one in images:
            if one.record.sha256 not in known:
                known.add(one.record.sha256)
                identities[len(added)] = one.identity
                added.append(SupportImage(to, one.image))
        change = Change(added=tuple(added), identities=identities)
        return change, Moved(added=len(added), duplicates=len(images) - len(added))

    def _named(self, basis: Basis, image_ids: Sequence[str]) -> list[KeptSupport]:
        ids = list(dict.fromkeys(image_ids))
        found = self._kept(basis, public_ids=ids)
        if len(found) < len(ids):
            there = {one.record.public_id for one in found}
            raise _no_images(basis.name, [one for one in ids if one not in there])
        return found

    def _kept(
        self,
        basis: Basis,
        *,
        public_ids: Sequence[str] | None = None,
        class_ids: Sequence[int] | None = None,
    ) -> list[KeptSupport]:
        found = self._store.kept_support(basis.name, public_ids=public_ids, class_ids=class_ids)
        if found is None:
            raise ClassifierNotFound(basis.name)
        return found[1]

    def _check_free(self, name: str) -> None:
        if self._store.find(name) is not None:
            shown = bare(name)
            raise ClassifierExists(
                name,
                f"There is a classifier {shown!r} already. Choose another name, or DELETE"
                f" /v1/classifiers/{shown} first.",
            )

    @contextmanager
    def _both(self, one: str, other: str) -> Iterator[None]:
        """Nobody changes or reads two classifiers meanwhile, and neither is in memory after it."""
        first, second = sorted((one, other))
        with (
            self._loaded.writing(first) as a,
            self._loaded.writing(second) as b,
            a.loader,
            b.loader,
        ):
            yield
            a.live = b.live = None


def _as_embedded(
    images: Sequence[KeptSupport], embedded: Mapping[str, EmbeddedImage], views: int, own: str
) -> list[KeptSupport]:
    """Images as a classifier embeds them that does it in another way.

    Raises:
        ViewsNeeded: Some are not there.
    """
    there = {
        sha256: image
        for sha256, image in embedded.items()
        if (image.views, image.fingerprint) == (views, own)
    }
    if missing := {
        one.record.sha256: one.record for one in images if one.record.sha256 not in there
    }:
        raise ViewsNeeded(views, own, list(missing.values()))
    return [
        one._replace(image=replace(there[one.record.sha256], filename=one.record.filename))
        for one in images
    ]


def _check_no_negatives(*labels: str) -> None:
    if NOT_THESE in labels:
        raise InvalidName(
            f"{NOT_THESE!r} is the label of explicit negatives, which is no class to be renamed or"
            " merged. Move its images, or images to it, one by one or many at once."
        )


def _no_images(name: str, ids: Sequence[str]) -> ImageNotFound:
    shown = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
    return ImageNotFound(
        f"Classifier {bare(name)!r} has no image {shown}. Nothing was changed: leave"
        f" {'it' if len(ids) == 1 else 'these'} out, and send the request again."
    )
