"""Classifiers from files: created whole, or not at all."""

from __future__ import annotations

from dataclasses import replace

from adapters.encoder import Encoder
from service.exchange import ClassifierFile
from service.images.embedded import SupportImage
from service.problems import ClassifierExists
from service.registry.class_texts import ClassTexts
from service.registry.importing import Import, is_the_same, whole
from service.registry.limits import SizeLimits
from service.registry.live import LiveClassifier
from service.registry.lru import LoadedClassifiers
from service.registry.multi_label import check_several_labels
from service.registry.optimistic_concurrency import retried_if_outdated
from service.storage.store import Store

_NO_TEXTS = ClassTexts()


class Imports:
    """Imports of one registry. Methods block, and may be called from many threads.

    Args:
        store: Where classifiers are written.
        backbone: Whose embeddings they hold.
        loaded: Those in memory, with their locks.
        limits: How large one may be.
    """

    def __init__(
        self, store: Store, backbone: Encoder, loaded: LoadedClassifiers, limits: SizeLimits
    ) -> None:
        self._store = store
        self._backbone = backbone
        self._loaded = loaded
        self._limits = limits

    def is_there(self, name: str, file: ClassifierFile) -> bool:
        """Whether the classifier of that name is the one in a file already; False: there is none.

        Raises:
            ClassifierExists: It is another one.
        """
        with self._loaded.writing(name) as entry:
            return _is_there(self._loaded.load(entry, name), file)

    @retried_if_outdated
    def create(self, name: str, given: Import, texts: ClassTexts = _NO_TEXTS) -> bool:
        """Create a classifier from a file, all of it or nothing.

        Costs a fit of it, and its rows in one transaction.

        Returns:
            Whether it was created; otherwise it was there already.

        Raises:
            ClassifierExists: There is another one of that name.
            InvalidSettings: Its settings do not go with several labels an image.
            RequestTooLarge: It has too many classes, or classes times templates.
            TextsNeeded: It is embedded anew, and ``texts`` lacks some.
            InvalidUpload: It does not fit the backbone that it names.
        """
        with self._loaded.writing(name) as entry:
            if _is_there(self._loaded.load(entry, name), given.file):
                return False
            found = given.file.classifier
            check_several_labels(found.settings)
            self._limits.check(len(found.classes), found.settings, self._backbone)
            made = whole(given, self._backbone, texts)
            new = [SupportImage(one.label, one.image) for one in made.images if one.is_kept]
            with self._store.placed(name, new) as put:
                places = iter(put)
                images = [
                    replace(one, image=next(places).image) if one.is_kept else one
                    for one in made.images
                ]
                self._store.create_whole(name, replace(made, images=images))
            return True


def _is_there(live: LiveClassifier | None, file: ClassifierFile) -> bool:
    if live is None:
        return False
    if not is_the_same(live, file):
        raise ClassifierExists(live.name)
    return True
