"""Few-shot classifier with scikit-learn's contract: fit, predict, predict_proba."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.backbones import Backbone
from adapters.classifier import Answers, FewShotClassifier
from adapters.embeddings import SupportSet
from adapters.heads import Tuning
from adapters.recipe import new_recipe, recipe_with
from handful import saved
from handful.backbone import load_for
from handful.pictures import Image, embed
from handful.prediction import Evidence, Prediction, Suggestion, named
from service.class_folders.on_disk import read_folder
from service.classifier_settings import ClassifierSettings
from service.exchange import ExportedClass, ExportedClassifier, Source, TuningState
from service.registry.fitting import class_texts, fitted_to, usable
from service.registry.negatives import place_of_negatives
from service.suggestions.pool_suggestions import NearestSupport, class_numbers, suggest

_DEFAULTS = ClassifierSettings()


class NotFittedError(ValueError):
    """The classifier has nothing to answer with yet."""


class Classifier:
    """Training-free few-shot classifier of images: a CLIP encoder and a key-value cache.

    The heads, tuning and calibration are the service's, so the same images give the same answers.
    Not safe for concurrent change.

    Args:
        backbone: Of :func:`handful.load_backbone`.
        settings: Head, prompt templates, rates; the defaults choose the head by leave-one-out.

    Raises:
        ValueError: The settings are for a service: several labels an image, or learned prompts,
            which are of the backbone here.
    """

    def __init__(self, backbone: Backbone, settings: ClassifierSettings = _DEFAULTS) -> None:
        if settings.multi_label:
            raise ValueError("here an image has one label: ask a service for several (multi_label)")
        if settings.prompts is not None:
            raise ValueError(
                "prompts: a classifier of a service chooses learned prompts by name; here they are "
                "of the backbone: load_backbone(NAME, prompts=PATH)"
            )
        self.backbone = backbone
        self.settings = settings
        self._names: list[str] = []
        self._columns: list[str] = []
        self._texts: Tensor | None = None
        self._classifier: FewShotClassifier | None = None
        self._as_queries: Tensor | None = None

    @property
    def classes_(self) -> list[str]:
        """The N labels that can be answered, in the order of ``predict_proba``'s columns."""
        return list(self._columns)

    def fit(
        self, images: Sequence[Image], labels: Sequence[str], *, class_names: Sequence[str] = ()
    ) -> Self:
        """Embed a support set and tune on it by leave-one-out; nothing is trained.

        Costs a pass of the encoder for each support view of the n images, and as much tuning as a
        change of a classifier of the service (docs/performance.md).

        Args:
            images: n paths, bytes of image files, Pillow images or arrays.
            labels: n classes of these; ``not-these`` of images that no class is to be named for.
            class_names: Classes without images, known by their names alone.

        Raises:
            ImageError: An image cannot be read; the classifier stays as it was.
            ValueError: There are not as many labels as images.
        """
        return self._extend(None, images, labels, class_names)

    def fit_folder(self, folder: str | os.PathLike[str]) -> Self:
        """:meth:`fit` on the images of a folder: ``FOLDER/CLASS/*`` (docs/uploads.md).

        Raises:
            ClassFolderError: The classes cannot be told from the paths, or files are no images.
            ImageError, OSError: A file or the folder cannot be read.
        """
        files = read_folder(Path(folder))
        return self.fit([file.path for file in files], [file.label for file in files])

    def add(
        self, images: Sequence[Image], labels: Sequence[str], *, class_names: Sequence[str] = ()
    ) -> Self:
        """Add to the support set, with new classes or old ones, and tune anew.

        Raises as :meth:`fit`.
        """
        return self._extend(self._classifier, images, labels, class_names)

    def predict(self, images: Sequence[Image]) -> list[str]:
        """The most probable class of each of n images.

        Raises:
            NotFittedError: There are no classes yet.
            ImageError: An image cannot be read.
        """
        best = self._answers(images, 0).probabilities.argmax(dim=1)
        return [self._columns[column] for column in best.tolist()]

    def predict_proba(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """(n, N) calibrated probabilities of ``classes_``; rows sum to one. Raises as `predict`."""
        probabilities: NDArray[Any] = self._answers(images, 0).probabilities.numpy()
        return probabilities.astype(np.float32)

    def explain(self, images: Sequence[Image], evidence: int = 3) -> list[Prediction]:
        """The whole answer for each of n images: known or not, prediction set, evidence.

        Args:
            images: As for :meth:`fit`.
            evidence: Most support images named for each.

        Raises as :meth:`predict`.
        """
        return named(self._answers(images, evidence), self._columns, self._names)

    def suggest(
        self, pool: Sequence[Image], n: int = 5, *, labels: Sequence[str] | None = None
    ) -> list[Suggestion]:
        """Which images of a pool to label or add next, best first; copies of others are left out.

        Also before there is anything to answer with (docs/suggestions.md).

        Args:
            pool: m images, as for :meth:`fit`.
            n: How many at most: of each class where ``labels`` are given, in all where not.
            labels: m classes of these, where they are known.

        Raises:
            ImageError: An image cannot be read.
            ValueError: There are not as many labels as images.
        """
        if labels is not None and len(pool) != len(labels):
            raise ValueError(f"there are {len(pool)} images and {len(labels)} labels")
        numbers = class_numbers(labels, {name: i for i, name in enumerate(self._names)})
        support = SupportSet.empty(self.backbone.width, self.backbone.corrected_width)
        if self._classifier is not None:
            support = self._classifier.support
        corrected = embed(self.backbone, pool).corrected
        found = suggest(corrected, numbers, support.embeddings.corrected, support.labels, n)

        def evidence(nearest: NearestSupport) -> Evidence:
            label = self._names[int(support.labels[nearest.row])]
            return Evidence(int(support.ids[nearest.row]), label, nearest.similarity)

        return [
            Suggestion(
                one.position,
                one.gain,
                one.coverage,
                None if one.nearest is None else evidence(one.nearest),
            )
            for one in found.suggested
        ]

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the classifier as one file: embeddings, settings and tuning, no images.

        The format is that of the service's exports (docs/export.md); a service does not import
        it, because it does not know the images.

        Args:
            path: Of the file; or a file that is open for writing.

        Raises:
            NotFittedError: There is nothing to write yet.
        """
        fitted = self._fitted()
        support = _whole(fitted)
        saved.write(
            path,
            ExportedClassifier(
                source=Source(fingerprint=self.backbone.fingerprint, name=self.backbone.name),
                settings=self.settings,
                classes=[ExportedClass(label=name) for name in self._names],
                tuning=fitted.tuning,
                tuning_state=TuningState(),
                texts=self._texts,
                labels=support.labels,
                embeddings=support.embeddings,
                images=None,
            ),
        )

    @classmethod
    def load(
        cls, path: str | os.PathLike[str] | BinaryIO, backbone: Backbone | None = None
    ) -> Self:
        """Read what :meth:`save` wrote or a service exported; it answers as that one did.

        Args:
            path: Of the file; or a file that is open for reading.
            backbone: The one that it was made with; loaded by its name if None, in the recipe of
                the file, which is enough unless it has an adapter or prompts of yours.

        Raises:
            SavedClassifierError: The file is no classifier, or of another backbone.
            BackboneError: The backbone cannot be loaded.
        """
        found = saved.read(path)
        if found.settings.prompts is not None:
            raise saved.SavedClassifierError(
                f"{path} is of a classifier of a service with prompts of its own "
                f"({found.settings.prompts}); a service with these reads it"
            )
        backbone = backbone or load_for(found.source.name, found.source.fingerprint)
        if backbone.fingerprint != found.source.fingerprint:
            recipe = recipe_with(found.source.fingerprint, backbone.model_fingerprint)
            if recipe is not None:
                own = backbone.recipe
                made_so = recipe == new_recipe(recipe.precision)
                raise saved.SavedClassifierError(
                    f"{path} holds embeddings in {recipe.precision}, resized by {recipe.resizing}, "
                    f"and this {backbone.name} embeds in {own.precision}, resized by "
                    f"{own.resizing}; load it without a backbone, which takes both of the file"
                    + (f", or with load_backbone(..., precision={recipe.precision!r})" * made_so)
                )
            raise saved.SavedClassifierError(
                f"{path} holds embeddings of another backbone ({found.source}) than "
                f"{backbone.name} ({backbone.fingerprint[:12]}...); load it with the one that it "
                "was made with"
            )
        if found.settings.multi_label:
            raise saved.SavedClassifierError(
                f"{path} is of a classifier whose images may have several labels, which a service "
                "answers for: import it there (PUT .../import, or handful import)"
            )
        loaded = cls(backbone, found.settings)
        labels, embeddings = found.labels, found.embeddings
        support = SupportSet.empty(backbone.width, backbone.corrected_width)
        if len(labels):
            support = SupportSet(torch.arange(len(labels)), labels, embeddings)
        names = [one.label for one in found.classes]
        loaded._store(names, found.texts, support, usable(found.settings, found.tuning))
        return loaded

    def _extend(
        self,
        before: FewShotClassifier | None,
        images: Sequence[Image],
        labels: Sequence[str],
        class_names: Sequence[str],
    ) -> Self:
        """Store what was there before, if anything, with what is added to it, tuned anew."""
        if len(images) != len(labels):
            raise ValueError(f"there are {len(images)} images and {len(labels)} labels")
        names, texts = ([], None) if before is None else (self._names, self._texts)
        support = SupportSet.empty(self.backbone.width, self.backbone.corrected_width)
        if before is not None:
            support = _whole(before)
            embeddings = replace(support.embeddings, as_queries=self._as_queries)
            support = replace(support, embeddings=embeddings)
        every = list(dict.fromkeys([*names, *labels, *class_names]))
        position = {name: i for i, name in enumerate(every)}
        ids = torch.arange(len(support), len(support) + len(images))
        columns = torch.tensor([position[label] for label in labels], dtype=torch.int64)
        views = self.settings.support_views
        added = SupportSet(ids, columns, embed(self.backbone, images, views))
        fresh = class_texts(self.settings, every[len(names) :], self.backbone)
        rows = [*(() if texts is None else texts), *(row for row in fresh if row is not None)]
        self._store(every, torch.stack(rows) if rows else None, support.with_added(added), None)
        return self

    def _store(
        self, names: list[str], texts: Tensor | None, support: SupportSet, tuning: Tuning | None
    ) -> None:
        mark, as_queries = place_of_negatives(names), support.embeddings.as_queries
        rows = [None] * len(names) if texts is None else list(texts)
        fitted = fitted_to(
            self.settings, rows, support, self.backbone, negatives=mark, tuning=tuning
        )
        self._names, self._texts, self._classifier = names, texts, fitted
        self._as_queries = as_queries
        self._columns = [names[i] for i in fitted.classes.ids.tolist()]

    def _fitted(self) -> FewShotClassifier:
        if self._classifier is None or not self._columns:
            raise NotFittedError("there are no classes yet: call fit with images or class names")
        return self._classifier

    def _answers(self, images: Sequence[Image], n_matches: int) -> Answers:
        fitted = self._fitted()
        queries = embed(self.backbone, images)
        with torch.inference_mode():
            return fitted.answer(queries, n_matches)


def _whole(fitted: FewShotClassifier) -> SupportSet:
    """All images, negatives among them, in the order in which they were given."""
    if fitted.negatives is None:
        return fitted.support
    every = fitted.support.with_added(fitted.negatives)
    return every[every.ids.argsort()]
