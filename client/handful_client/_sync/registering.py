"""Registering images in any number."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Self

from handful_client._sync.concurrency import in_thread
from handful_client._sync.named import Named
from handful_client._sync.reading import batches, gathered, unlabelled
from handful_client.batches import Item, halves, to_send, upload
from handful_client.calls import Call, Query, waiting
from handful_client.errors import InvalidImage, TooLarge
from handful_client.images import Images, Labelled, class_folders
from handful_client.models import RegistrationOut

# Images of a request.
_BATCH = 128

Progress = Callable[[int], object]


class Registering(Named):
    """What puts images into a classifier."""

    def add(self, label: str, images: Images, *, progress: Progress | None = None) -> Self:
        """Register images under a label, and return this classifier; create it if it is not there.

        As ``register``, whose result says what became of each image.
        """
        self.register(label, images, progress=progress)
        return self

    def add_folder(
        self, folder: str | os.PathLike[str], *, progress: Progress | None = None
    ) -> Self:
        """Register a folder of ``LABEL/IMAGE`` files, and return this classifier."""
        self.register_folder(folder, progress=progress)
        return self

    def register(
        self,
        label: str,
        images: Images,
        *,
        predict: bool = False,
        wait_tuned: bool = False,
        progress: Progress | None = None,
    ) -> RegistrationOut:
        """Register images under a label; the classifier is created if it is not there.

        Each request is done whole or not at all; images that are there already are recognised, so
        that what failed half-way can be begun again.

        Args:
            label: The class.
            images: One or many. A folder stands for the files in it; an iterable is asked for the
                next image when there is room for it.
            predict: Whether to tell what each image was taken for before and after.
            wait_tuned: Answer once the classifier is tuned, within a time that the service sets.
            progress: Is called with the number of images that are done, after each request.
        """
        query = _told(predict, wait_tuned)

        def call(batch: Sequence[Item]) -> Call:
            return upload(self._path("classes", label, "images"), query, batch, registers=True)

        return self._registered(unlabelled(images), call, progress)

    def register_shown(
        self,
        labels: Sequence[str],
        images: Images,
        *,
        predict: bool = False,
        wait_tuned: bool = False,
        progress: Progress | None = None,
    ) -> RegistrationOut:
        """Register images that each show all of these labels, of a classifier with several.

        Arguments as those of :meth:`register`.
        """
        query = {**_told(predict, wait_tuned), "labels": list(labels)}

        def call(batch: Sequence[Item]) -> Call:
            return upload(self._path("support"), query, batch, registers=True)

        return self._registered(unlabelled(images), call, progress)

    def register_folder(
        self,
        folder: str | os.PathLike[str],
        *,
        predict: bool = False,
        wait_tuned: bool = False,
        progress: Progress | None = None,
    ) -> RegistrationOut:
        """Register a folder of ``LABEL/IMAGE`` files; labels are the names of its folders."""
        found = in_thread(class_folders, folder)
        return self.register_labelled(
            found, predict=predict, wait_tuned=wait_tuned, progress=progress
        )

    def register_labelled(
        self,
        images: Labelled,
        *,
        predict: bool = False,
        wait_tuned: bool = False,
        progress: Progress | None = None,
    ) -> RegistrationOut:
        """Register images that come each with its label, as pairs ``(label, image)``."""
        query = _told(predict, wait_tuned)

        def call(batch: Sequence[Item]) -> Call:
            return upload(self._path("support"), query, batch, labelled=True, registers=True)

        return self._registered(images, call, progress)

    def _registered(
        self,
        labelled: Labelled,
        call: Callable[[Sequence[Item]], Call],
        progress: Progress | None,
    ) -> RegistrationOut:
        """Register batches, one after the other: a classifier takes one change at a time."""
        told = RegistrationOut(classifier=self.name, created=0, duplicates=0, images=[], skipped=[])

        def register(items: Sequence[Item]) -> None:
            try:
                part = self._created(RegistrationOut, call(items))
            except TooLarge as refusal:
                if self._conditions:
                    raise
                for half in halves(items, refusal):
                    register(half)
                return
            told.created += part.created
            told.duplicates += part.duplicates
            told.images += part.images
            told.skipped += part.skipped
            if progress is not None:
                progress(len(told.images) + len(told.skipped))

        if self._conditions:  # which hold for one request
            register(gathered(labelled))
            return told
        for batch in batches(labelled, _BATCH):
            register(to_send(batch))
        if not told.images and not told.skipped:
            raise InvalidImage("no image was given")
        return told


def _told(predict: bool, wait_tuned: bool) -> Query:
    return {"predict": predict or None, **waiting(wait_tuned)}
