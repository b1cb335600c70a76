"""All classifiers: a change is tuned, then written, then taken over in memory.

Memory is only ever behind the disk: should anything fail after the write, the classifier is
dropped from memory and loaded again by the next request. A change is written only if the
classifier is still in the state that it was made for (:class:`service.storage.errors.Outdated`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.embeddings import ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.heads import HEADS, Tuning
from service.encoding.image_embedder import EmbeddedImage
from service.problems import (
    ClassifierNotFound,
    ClassNotFound,
    ImageNotFound,
    InvalidSettings,
    RequestTooLarge,
)
from service.registry.class_texts import ClassTexts
from service.registry.fitting import class_set, new_classifier
from service.registry.live import LiveClassifier
from service.registry.lru import LoadedClassifiers, Slot, following
from service.registry.optimistic_concurrency import on_the_latest
from service.storage.records import (
    ClassifierSettings,
    ClassRecord,
    NewImage,
    SupportRecord,
)
from service.storage.store import Store

_MAX_FILENAME = 255
NO_TEXTS = ClassTexts()


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one uploaded image."""

    label: str
    record: SupportRecord
    created: bool


class Registry:
    """The classifiers of one service. Methods block, and may be called from many threads.

    What a class name means is not computed here: changes that need text embeddings get them, and
    raise :class:`service.registry.class_texts.TextsNeeded` for those that they find missing.

    Args:
        store: Where they are kept.
        backbone: Whose embeddings they hold.
        store_images: Whether the bytes of images are kept.
        max_classes: Most classes of one classifier.
        max_texts: Most classes times templates of one.
        memory: Bytes of classifiers in memory.
        alone: Whether no other process changes the database. Where one does, a change is made
            again, tuning and all, if another came before it.
        cache: How classifiers keep their support images.
    """

    def __init__(
        self,
        store: Store,
        backbone: Backbone,
        *,
        store_images: bool,
        max_classes: int,
        max_texts: int,
        memory: int,
        alone: bool = True,
        cache: CacheSettings = DEFAULT_SETTINGS,
    ) -> None:
        self._store = store
        self._backbone = backbone
        self._cache = cache
        self._store_images = store_images
        self._max_classes = max_classes
        self._max_texts = max_texts
        self._loaded = LoadedClassifiers(store, backbone, memory, alone=alone, cache=cache)

    # Reading

    def live(self, name: str) -> LiveClassifier:
        """The classifier, ready to answer.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        return self._loaded.get(name)

    def in_memory(self, name: str) -> LiveClassifier | None:
        """The classifier if it is in memory already; does not block."""
        return self._loaded.in_memory(name)

    def image(self, name: str, label: str, image_id: str) -> SupportRecord:
        """One support image.

        Raises:
            ClassifierNotFound, ClassNotFound, ImageNotFound: There is none.
        """
        return _find_image(self.live(name), label, image_id)

    def check_room(self, name: str, labels: Sequence[str]) -> None:
        """See that a classifier has room for these labels, before anything is done for them.

        Raises:
            ClassifierNotFound: There is none of that name.
            RequestTooLarge: There would be too many classes.
        """
        live = self.live(name)
        fresh = [label for label in dict.fromkeys(labels) if label not in live.classes]
        if fresh:
            self._check_size(live.settings, len(live.classes) + len(fresh))

    # Writing

    @on_the_latest
    def put(
        self,
        name: str,
        settings: ClassifierSettings,
        labels: Sequence[str],
        texts: ClassTexts = NO_TEXTS,
    ) -> bool:
        """Create a classifier, or give one other settings and more classes.

        Returns:
            Whether it was created.

        Raises:
            InvalidSettings: The method needs class names that carry meaning.
            RequestTooLarge: There would be too many classes, or classes times templates.
            TextsNeeded: ``texts`` lacks some.
        """
        if HEADS[settings.method].needs_names and not settings.names_carry_meaning:
            raise InvalidSettings(
                f"The method {settings.method} knows classes by their names alone; set "
                "names_carry_meaning to true, or choose another method."
            )
        with self._loaded.slot(name) as slot:
            live = self._loaded.load(slot, name)
            if live is not None:
                self._resettle(slot, live, settings, labels, texts)
                return False
            classes = self._new_classes(settings, labels, 0, texts)
            tuning = self._tune(settings, classes, self._no_support().labelled)
            self._store.create(name, settings, tuning, [(c.label, c.text) for c in classes])
            return True

    @on_the_latest
    def delete(self, name: str) -> None:
        """Delete a classifier with all that belongs to it.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        # It is not read for this: one that is damaged can be deleted. Nobody reads it meanwhile
        # either, and has it in memory when it is gone.
        with self._loaded.slot(name) as slot, slot.loading:
            if (found := self._store.find(name)) is None:
                slot.live = None
                raise ClassifierNotFound(name)
            self._store.delete_classifier(found, name)
            slot.live = None

    @on_the_latest
    def put_class(self, name: str, label: str, texts: ClassTexts = NO_TEXTS) -> bool:
        """Declare a class by its name; returns whether it is new. Raises as :meth:`put`."""
        with self._loaded.changing(name) as (slot, live):
            if label in live.classes:
                return False
            self._resettle(slot, live, live.settings, [label], texts)
            return True

    @on_the_latest
    def delete_class(self, name: str, label: str) -> None:
        """Delete a class with its images.

        Raises:
            ClassifierNotFound, ClassNotFound: There is none.
        """
        with self._loaded.changing(name) as (slot, live):
            gone = _find_class(live, label)
            images = [i for i, record in live.support.items() if record.class_id == gone.id]
            stay = [record for record in live.classes.values() if record.id != gone.id]
            removed = torch.tensor(images, dtype=torch.int64)
            self._remove(slot, live, stay, removed, gone_classes=[gone.id])

    @on_the_latest
    def delete_image(self, name: str, label: str, image_id: str) -> None:
        """Delete one support image; its class stays.

        Raises:
            ClassifierNotFound, ClassNotFound, ImageNotFound: There is none.
        """
        with self._loaded.changing(name) as (slot, live):
            removed = torch.tensor([_find_image(live, label, image_id).id])
            classes = list(live.classes.values())
            self._remove(slot, live, classes, removed, gone_images=removed.tolist())

    @on_the_latest
    def add_images(
        self,
        name: str,
        images: Sequence[tuple[str, EmbeddedImage]],
        texts: ClassTexts = NO_TEXTS,
    ) -> list[Registered]:
        """Add labelled images to the support set, all of them or none.

        An image that its class has already, byte for byte, is recognised and not added again.

        Returns:
            What became of each image, in their order.

        Raises:
            ClassifierNotFound: There is none of that name.
            RequestTooLarge: There would be too many classes, or classes times templates.
            TextsNeeded: ``texts`` lacks some.
        """
        with self._loaded.changing(name) as (slot, live):
            labels = list(dict.fromkeys(label for label, _ in images))
            fresh = [label for label in labels if label not in live.classes]
            new_classes = self._new_classes(live.settings, fresh, len(live.classes), texts)
            classes = [*live.classes.values(), *new_classes]
            class_ids = {record.label: record.id for record in classes}
            by_content = {
                (record.class_id, record.sha256): record for record in live.support.values()
            }
            known: dict[tuple[str, str], SupportRecord] = {}
            new: dict[tuple[str, str], EmbeddedImage] = {}
            for label, image in images:
                key = (label, image.sha256)
                if record := by_content.get((class_ids[label], image.sha256)):
                    known[key] = record
                else:
                    new.setdefault(key, image)
            if new:
                known |= self._write_images(slot, live, new_classes, new)
        answers = []
        for label, image in images:
            key = (label, image.sha256)
            answers.append(Registered(label, known[key], new.pop(key, None) is not None))
        return answers

    def _write_images(
        self,
        slot: Slot,
        live: LiveClassifier,
        new_classes: list[ClassRecord],
        images: dict[tuple[str, str], EmbeddedImage],
    ) -> dict[tuple[str, str], SupportRecord]:
        classes = [*live.classes.values(), *new_classes]
        class_ids = {record.label: record.id for record in classes}
        embeddings = ImageEmbeddings.concatenate([i.embeddings for i in images.values()])
        # They get their ids with the write.
        to_come = LabelledEmbeddings(
            torch.tensor([class_ids[label] for label, _ in images]),
            embeddings,
        )
        tuning = self._tune(live.settings, classes, live.support_set.labelled.with_added(to_come))
        with following(slot, live):
            written = self._store.change(
                live.id,
                tuning,
                new_classes=[(record.label, record.text) for record in new_classes],
                new_images=[self._new_image(label, image) for (label, _), image in images.items()],
                state=live.state,
            )
            live.apply(
                tuning=tuning,
                settings=live.settings,
                classes=[*live.classes.values(), *written.classes],
                revision=written.revision,
                added=(written.support, embeddings),
            )
        return dict(zip(images, written.support, strict=True))

    def _new_image(self, label: str, image: EmbeddedImage) -> NewImage:
        return NewImage(
            public_id=uuid.uuid4().hex,
            label=label,
            filename=image.filename[-_MAX_FILENAME:],
            sha256=image.sha256,
            media_type=image.media_type,
            width=image.width,
            height=image.height,
            content=image.read if self._store_images else None,
            embeddings=image.embeddings,
        )

    # Shared by the writers

    def _remove(
        self,
        slot: Slot,
        live: LiveClassifier,
        classes: list[ClassRecord],
        removed: Tensor,
        gone_classes: Sequence[int] = (),
        gone_images: Sequence[int] = (),
    ) -> None:
        """Remove support images; ``classes`` stay, and storage is told what is gone."""
        tuning = self._tune(live.settings, classes, live.support_set.without(removed).labelled)
        with following(slot, live):
            written = self._store.change(
                live.id,
                tuning,
                gone_classes=gone_classes,
                gone_images=gone_images,
                state=live.state,
            )
            live.apply(
                tuning=tuning,
                settings=live.settings,
                classes=classes,
                revision=written.revision,
                removed=removed,
            )

    def _resettle(
        self,
        slot: Slot,
        live: LiveClassifier,
        settings: ClassifierSettings,
        labels: Sequence[str],
        texts: ClassTexts,
    ) -> None:
        """Give a classifier other settings and declare the labels that it does not have."""
        fresh = [label for label in dict.fromkeys(labels) if label not in live.classes]
        if settings == live.settings and not fresh:
            return
        old_classes = list(live.classes.values())
        new_texts: list[tuple[int, Tensor | None]] = []
        if (settings.templates, settings.names_carry_meaning) != (
            live.settings.templates,
            live.settings.names_carry_meaning,
        ):
            # All at once, so that they are embedded by one request for them.
            self._check_size(settings, len(old_classes) + len(fresh))
            texts.under(settings, [*live.classes, *fresh])
            embedded = texts.under(settings, list(live.classes))
            new_texts = [(r.id, text) for r, text in zip(old_classes, embedded, strict=True)]
            old_classes = [
                replace(r, text=text) for r, text in zip(old_classes, embedded, strict=True)
            ]
        new_classes = self._new_classes(settings, fresh, len(live.classes), texts)
        classes = [*old_classes, *new_classes]
        support = live.support_set
        tuning = self._tune(settings, classes, support.labelled)
        with following(slot, live):
            written = self._store.change(
                live.id,
                tuning,
                settings=settings,
                texts=new_texts,
                new_classes=[(record.label, record.text) for record in new_classes],
                state=live.state,
            )
            classes = [*old_classes, *written.classes]
            classifier = new_classifier(settings, self._backbone, self._cache)
            live.apply(
                tuning=tuning,
                settings=settings,
                classes=classes,
                revision=written.revision,
                classifier=classifier.fit(
                    class_set(settings, classes, support.labels), support, tuning
                ),
            )

    def _tune(
        self, settings: ClassifierSettings, classes: list[ClassRecord], images: LabelledEmbeddings
    ) -> Tuning:
        known = class_set(settings, classes, images.labels)
        return new_classifier(settings, self._backbone).tune(known, images)

    def _new_classes(
        self, settings: ClassifierSettings, labels: Sequence[str], already: int, texts: ClassTexts
    ) -> list[ClassRecord]:
        """Records of classes to come; their ids are negative until storage gives them some."""
        labels = list(dict.fromkeys(labels))
        if not labels:
            return []
        self._check_size(settings, already + len(labels))
        now = datetime.now(UTC)
        return [
            ClassRecord(-1 - i, label, now, text)
            for i, (label, text) in enumerate(
                zip(labels, texts.under(settings, labels), strict=True)
            )
        ]

    def _check_size(self, settings: ClassifierSettings, classes: int) -> None:
        """See that a classifier may have so many classes under these settings."""
        if classes > self._max_classes:
            raise RequestTooLarge(
                f"The classifier would have {classes} classes; at most "
                f"{self._max_classes} are accepted."
            )
        templates = len(self._backbone.templates_for(settings.templates))
        if settings.names_carry_meaning and classes * templates > self._max_texts:
            raise RequestTooLarge(
                f"The classifier would have {classes} classes times {templates} templates, which "
                f"are {classes * templates} texts to embed; at most {self._max_texts} are "
                f"accepted (HANDFUL_MAX_TEXTS). Use {self._max_texts // classes} templates or "
                "fewer, or fewer classes."
            )

    def _no_support(self) -> SupportSet:
        return SupportSet.empty(self._backbone.width, self._backbone.corrected_width)


def _find_class(live: LiveClassifier, label: str) -> ClassRecord:
    if (record := live.classes.get(label)) is None:
        raise ClassNotFound(live.name, label)
    return record


def _find_image(live: LiveClassifier, label: str, image_id: str) -> SupportRecord:
    class_id = _find_class(live, label).id
    for record in live.support.values():
        if record.public_id == image_id and record.class_id == class_id:
            return record
    raise ImageNotFound(
        f"Class {label!r} of classifier {live.name!r} has no image {image_id!r}. "
        f"GET /v1/classifiers/{live.name}/classes/{label} lists those it has."
    )
