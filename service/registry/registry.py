"""The classifiers of one service: what is read of them, and which change a request is.

Memory is only ever behind the disk: should anything fail after the write, the classifier is
dropped from memory and loaded again by the next request. A change is written only if the
classifier is still in the state that it was made for (:class:`service.storage.errors.Outdated`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from types import MappingProxyType
from typing import Self

from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.encoder import Encoder
from adapters.heads import HEADS
from service.classifier_settings import ClassifierSettings
from service.images.embedded import EmbeddedImage, SupportImage
from service.problems import ClassifierNotFound, ImageNotFound, InvalidSettings
from service.registry.basis import Basis
from service.registry.changes import ChangeMaker
from service.registry.changing_over import ChangingOver
from service.registry.chosen_prompts import NO_PROMPTS, Prompts
from service.registry.class_texts import ClassTexts, TextsNeeded
from service.registry.definitions import Definitions
from service.registry.entry import Entry
from service.registry.freshness import Freshness
from service.registry.imports import Imports
from service.registry.limits import SizeLimits
from service.registry.live import LiveClassifier
from service.registry.lru import LoadedClassifiers
from service.registry.multi_label import check_several_labels, check_single_labels
from service.registry.optimistic_concurrency import retried_if_outdated
from service.registry.registered import Registered, all_registered, taken_for
from service.registry.reshaping import Reshaping
from service.registry.retuning import Retuning
from service.registry.reverting import Reverting
from service.registry.support_views import check_views, renewed
from service.registry.tuning_queue import TuningQueue
from service.storage.change import Change
from service.storage.recording import Recorder
from service.storage.records import SupportRecord
from service.storage.store import Store
from service.tenancy import bare, tenant_of

__all__ = ["NO_TEXTS", "Registered", "Registry"]

NO_TEXTS = ClassTexts()
NO_IMAGES: Mapping[str, EmbeddedImage] = MappingProxyType({})


class Registry:
    """The registry of classifiers. Methods block, and may be called from many threads.

    What a class name means is not computed here: changes that need text embeddings get them, and
    raise :class:`service.registry.class_texts.TextsNeeded` for those that they find missing; so it
    is with support views (:class:`service.registry.support_views.ViewsNeeded`).

    Args:
        store: Where they are kept.
        backbone: Whose embeddings they hold.
        limits: How large one may be.
        memory: Bytes of classifiers in memory.
        freshness: Whether a classifier in memory is the latest. Where other processes change the
            database too, a change is made again, tuning and all, if another came before it.
        cache: How classifiers keep their support images.
        tunings: Told of classifiers that are to be tuned after their change, by :meth:`tune`.
        prompts: Trained prompts that a classifier may choose.

    Attributes:
        change_over: Changes a classifier over to another recipe.
        imports: Creates classifiers from files.
        revert: Brings back what a classifier was.
        reshaping: Copies, renames and merges classifiers and classes, and moves images.
    """

    def __init__(
        self,
        store: Store,
        backbone: Encoder,
        *,
        limits: SizeLimits,
        memory: int,
        freshness: Freshness,
        cache: CacheSettings = DEFAULT_SETTINGS,
        tunings: TuningQueue | None = None,
        prompts: Prompts = NO_PROMPTS,
    ) -> None:
        self._store = store
        self._prompts = prompts
        self._backbone = backbone
        self._limits = limits
        self._definitions = Definitions(limits, backbone)
        self.tunings = TuningQueue() if tunings is None else tunings
        self._loaded = LoadedClassifiers(store, backbone, memory, freshness, cache, self.tunings)
        self._changes = ChangeMaker(store, backbone, self.tunings)
        self.tune = Retuning(store, self._loaded, self.tunings, shared=freshness.blocks)
        self.change_over = ChangingOver(store, backbone, self._loaded, cache, self.tunings)
        self.imports = Imports(store, backbone, self._loaded, limits)
        self.reshaping = Reshaping(store, self._loaded, self._changes, self._definitions)
        self.revert = Reverting(store, self._loaded, self._changes)

    def recording(self, recorders: Iterable[Recorder]) -> Self:
        """This registry, with recorders of the changes that are made through it; costs nothing.

        The classifiers in memory and their locks are the same ones.
        """
        registry = copy(self)
        registry._store = store = self._store.recording(recorders)
        registry._changes = ChangeMaker(store, self._backbone, self.tunings)
        registry.imports = Imports(store, self._backbone, self._loaded, self._limits)
        registry.reshaping = Reshaping(store, self._loaded, registry._changes, self._definitions)
        registry.revert = Reverting(store, self._loaded, registry._changes)
        return registry

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
        return self._find_image(self.live(name).basis(), label, image_id)

    def check_room(self, name: str, labels: Sequence[str]) -> TextsNeeded | None:
        """See that a classifier has room for these labels, before anything is done for them.

        Returns:
            Which class names are to be embedded for them, as far as is known; None: none.

        Raises:
            ClassifierNotFound: There is none of that name.
            RequestTooLarge: There would be too many classes.
        """
        basis = self.live(name).basis()
        if not (fresh := basis.fresh(labels)):
            return None
        self._definitions.check_size(basis.settings, len(basis.records) + len(fresh))
        if not basis.settings.names_carry_meaning:
            return None
        prompts = None if basis.settings.prompts is None else basis.state.fingerprint
        return TextsNeeded(basis.settings.templates, fresh, prompts)

    def fingerprint_of(self, name: str, settings: ClassifierSettings) -> str:
        """What a classifier of these settings is embedded under, if it is made now.

        Raises:
            PromptsNotFound: There are no such prompts.
            InvalidSettings: They cannot be used.
        """
        if settings.prompts is None:
            self._store.follow_recipe()
            return self._store.fingerprint
        return self._prompts.fingerprint(tenant_of(name), settings.prompts)

    def usual_fingerprint(self, name: str) -> str:
        """What a classifier is most likely embedded under, without a look; costs microseconds."""
        return self._loaded.last_fingerprint(name) or self._store.fingerprint

    def follow(self, name: str) -> None:
        """Have a classifier that is in memory follow what others have changed, if it is in use."""
        self._loaded.follow(name)

    # Writing

    @retried_if_outdated
    def put(
        self,
        name: str,
        settings: ClassifierSettings,
        labels: Sequence[str],
        texts: ClassTexts = NO_TEXTS,
        *,
        embedded: Mapping[str, EmbeddedImage] = NO_IMAGES,
    ) -> bool:
        """Create a classifier, or give one other settings and more classes.

        Args:
            name: Of the classifier.
            settings: From now on.
            labels: Of classes that are to be there.
            texts: Of class names that are new, or under other templates.
            embedded: Its images with other support views, by SHA-256, where that setting changes.

        Returns:
            Whether it was created.

        Raises:
            InvalidSettings: The method needs class names that carry meaning, or the prompts cannot
                be used; or settings do not go with several labels an image, or images not with one.
            PromptsNotFound: There are no such prompts.
            RequestTooLarge: There would be too many classes, or classes times templates; or there
                are too many images for other support views.
            TextsNeeded: ``texts`` lacks some.
            ViewsNeeded: ``embedded`` lacks some.
        """
        if HEADS[settings.method].needs_names and not settings.names_carry_meaning:
            raise InvalidSettings(
                f"The method {settings.method} knows classes by their names alone; set "
                "names_carry_meaning to true, or choose another method."
            )
        check_several_labels(settings)
        with self._loaded.writing(name) as entry:
            live = self._loaded.load(entry, name)
            if live is None:
                chosen = self.fingerprint_of(name, settings)
                new = self._definitions.new_classes(
                    settings, list(dict.fromkeys(labels)), 0, texts, chosen
                )
                own = None if settings.prompts is None else chosen
                change = Change(settings=settings, fingerprint=own, classes_added=new)
                self._changes.create(name, change)
                return True
            basis = live.basis()
            if settings != basis.settings:
                self._redefine(entry, live, basis, settings, labels, texts, embedded)
            elif fresh := basis.fresh(labels):
                self._declare(entry, live, basis, fresh, texts)
            return False

    @retried_if_outdated
    def delete(self, name: str) -> None:
        """Delete a classifier with all that belongs to it.

        Raises:
            ClassifierNotFound: There is none of that name.
        """
        # It is not read for this: one that is damaged can be deleted. Nobody reads it meanwhile
        # either, and has it in memory when it is gone.
        with self._loaded.writing(name) as entry, entry.loader:
            if (found := self._store.find(name)) is None:
                entry.live = None
                raise ClassifierNotFound(name)
            self._store.delete_classifier(found, name)
            entry.live = None

    @retried_if_outdated
    def put_class(self, name: str, label: str, texts: ClassTexts = NO_TEXTS) -> bool:
        """Declare a class by its name; returns whether it is new. Raises as :meth:`put`."""
        with self._loaded.changing(name) as (entry, live, basis):
            if label in basis.records:
                return False
            self._declare(entry, live, basis, [label], texts)
            return True

    @retried_if_outdated
    def delete_class(self, name: str, label: str) -> None:
        """Delete a class with its images.

        Raises:
            ClassifierNotFound, ClassNotFound: There is none.
        """
        with self._loaded.changing(name) as (entry, live, basis):
            change = Change(classes_removed=(basis.find_class(label).id,))
            self._changes.make(entry, live, basis, change)

    @retried_if_outdated
    def delete_image(self, name: str, label: str, image_id: str) -> None:
        """Delete one support image; its class stays.

        Raises:
            ClassifierNotFound, ClassNotFound, ImageNotFound: There is none.
        """
        with self._loaded.changing(name) as (entry, live, basis):
            change = Change(removed=(self._find_image(basis, label, image_id).id,))
            self._changes.make(entry, live, basis, change)

    def add_images(
        self,
        name: str,
        images: Sequence[tuple[str, EmbeddedImage]],
        top_k: int | None = None,
        texts: ClassTexts = NO_TEXTS,
    ) -> list[Registered]:
        """Add labelled images to the support set, all of them or none.

        An image that its class has already, byte for byte, is recognised and not added again.

        Args:
            name: Of the classifier.
            images: With their embeddings, which are asked with too.
            top_k: Most candidates that each image is taken for, before and after; None: that is
                not asked.
            texts: Of class names that are new.

        Returns:
            What became of each image, in their order.

        Raises:
            ClassifierNotFound: There is none of that name.
            RequestTooLarge: There would be too many classes, or classes times templates.
            TextsNeeded: ``texts`` lacks some.
            ViewsNeeded: The images are embedded with other support views than it asks for, or in
                another recipe than it is of.
        """
        with self._store.placed(name, images) as put:
            return self._add_images(name, put, top_k, texts)

    @retried_if_outdated
    def _add_images(
        self, name: str, images: Sequence[SupportImage], top_k: int | None, texts: ClassTexts
    ) -> list[Registered]:
        with self._loaded.changing(name) as (entry, live, basis):
            check_views(images, basis.settings.support_views, basis.state.fingerprint)
            fresh = basis.fresh([label for label, _ in images])
            new_classes = self._definitions.new_classes(
                basis.settings, fresh, len(basis.records), texts, basis.state.fingerprint
            )
            asked = {(label, image.sha256) for label, image in images}
            known = self._store.registered(name, basis.state.id, asked)
            new: dict[tuple[str, str], SupportImage] = {}
            for label, image in images:
                if (key := (label, image.sha256)) not in known:
                    new.setdefault(key, SupportImage(label, image))
            before = after = taken_for(live, images, top_k)
            if new:
                change = Change(classes_added=new_classes, added=tuple(new.values()))
                written = self._changes.make(entry, live, basis, change)
                known |= dict(zip(new, written.support, strict=True))
                after = taken_for(live, images, top_k)
        return all_registered(images, known, new, before, after)

    # Shared by the writers

    def _redefine(
        self,
        entry: Entry,
        live: LiveClassifier,
        basis: Basis,
        settings: ClassifierSettings,
        labels: Sequence[str],
        texts: ClassTexts,
        embedded: Mapping[str, EmbeddedImage],
    ) -> None:
        before, own = basis.settings, basis.state.fingerprint
        if before.multi_label and not settings.multi_label:
            check_single_labels(live.records()[1].values())
        views, images, moved = settings.support_views, {}, None
        if settings.prompts != before.prompts:
            own = moved = self.fingerprint_of(basis.name, settings)
        if moved is not None or views != before.support_views:
            images = renewed(live.records()[1], views, own, embedded)
        change = self._definitions.redefinition(basis, settings, labels, texts, own)
        change = replace(change, renewed=images, fingerprint=moved)
        self._changes.make(entry, live, basis, change)
        if settings.multi_label and not before.multi_label:
            with entry.loader:  # the database has one embedding for each content
                entry.live = None

    def _declare(
        self,
        entry: Entry,
        live: LiveClassifier,
        basis: Basis,
        labels: Sequence[str],
        texts: ClassTexts,
    ) -> None:
        new = self._definitions.new_classes(
            basis.settings, labels, len(basis.records), texts, basis.state.fingerprint
        )
        self._changes.make(entry, live, basis, Change(classes_added=new))

    def _find_image(self, basis: Basis, label: str, image_id: str) -> SupportRecord:
        basis.find_class(label)
        record = self._store.support_image(basis.state.id, label, image_id)
        if record is None:
            name = bare(basis.name)
            raise ImageNotFound(
                f"Class {label!r} of classifier {name!r} has no image {image_id!r}. "
                f"GET /v1/classifiers/{name}/classes/{label} lists those it has."
            )
        return record
