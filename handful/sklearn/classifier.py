"""Few-shot classification of images behind scikit-learn's contract."""

from __future__ import annotations

import io
import os
from typing import Any, ClassVar, Self

import numpy as np
import torch
from fastapi_problem.error import StatusProblem
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from adapters.heads import HEADS
from adapters.recipe import Precision
from handful.classifier import Classifier
from handful.pictures import Image
from handful.saved import SavedClassifierError
from handful.sklearn.image_estimator import ImageEstimatorMixin
from handful.sklearn.image_input import images_of
from handful.sklearn.labels import classes_among
from handful.sklearn.persistence import PersistenceMixin
from handful.sklearn.saved_file import SavedEstimator
from service.classifier_settings import ClassifierSettings
from service.name_validation import NOT_THESE, checked_label

_LEAST = float(np.finfo(np.float32).tiny)


class HandfulClassifier(ImageEstimatorMixin, ClassifierMixin, PersistenceMixin, BaseEstimator):
    """:class:`handful.Classifier` as an estimator: nothing is trained, the same answers.

    An image is a path, the bytes of an image file, a Pillow image or a uint8 array; n of them are a
    list, a column, or one uint8 array of shape (n, H, W, 3). Clones and folds share one backbone,
    which is loaded when it is needed first.

    Args:
        backbone: As of :func:`handful.load_backbone`, like the next four.
        adapter: What corrects intra-modal overlap.
        prompts: Learned prompts.
        precision: Of the image tower.
        device: Where it computes; the GPU if there is one.
        method: The head.
        templates: Sentences around a class name; none: the backbone's own.
        names_carry_meaning: Whether labels say what is to be seen. Those that are no strings do
            not, whatever is said here.
        false_rejection_rate: Share of images of the classes that :meth:`is_known` may deny.
        support_views: Views of each support image that are averaged.

    Attributes:
        classes_: (N,) the labels, sorted; without ``not-these``, the label of explicit negatives.
        classifier_: The :class:`handful.Classifier`, for ``explain`` and ``suggest``.
    """

    _not_saved: ClassVar[frozenset[str]] = frozenset({"device"})
    _of_fit: ClassVar[tuple[str, ...]] = ("classifier_",)

    classifier_: Classifier

    def __init__(
        self,
        backbone: str = "lite",
        *,
        adapter: str | os.PathLike[str] | None = None,
        prompts: str | os.PathLike[str] | None = None,
        precision: Precision = "float32",
        device: str | None = None,
        method: str = "auto",
        templates: tuple[str, ...] = (),
        names_carry_meaning: bool = True,
        false_rejection_rate: float = 0.05,
        support_views: int = 1,
    ) -> None:
        self.backbone = backbone
        self.adapter = adapter
        self.prompts = prompts
        self.precision = precision
        self.device = device
        self.method = method
        self.templates = templates
        self.names_carry_meaning = names_carry_meaning
        self.false_rejection_rate = false_rejection_rate
        self.support_views = support_views

    def fit(self, X: Any, y: Any) -> Self:
        """Embed the support set and tune on it, as :meth:`handful.Classifier.fit`.

        Args:
            X: n images.
            y: (n,) labels; ``not-these`` of images that no class is to be named for.

        Raises:
            ImageError: An image cannot be read.
            BackboneError: The backbone cannot be loaded.
            TypeError, ValueError: X or y, or a parameter, is not as it should be.
        """
        images = self._images(X)
        if y is None:
            raise ValueError("y is None: this estimator requires y to be passed, labels of images")
        y = column_or_1d(y, warn=True)
        check_consistent_length(images, y)
        if not images:
            raise ValueError("Found array with 0 samples: give images of at least one class")
        classes, places = classes_among(y)
        names = [*_names(classes), NOT_THESE]  # which is the last one, at -1
        of_strings = all(isinstance(label, str) for label in classes.tolist())
        classifier = Classifier(self._backbone(), self._settings(of_strings))
        fitted = classifier.fit(images, [names[place] for place in places.tolist()])
        self._take(fitted, classes)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """(n, N) calibrated probabilities of ``classes_``; rows sum to one.

        Raises:
            NotFittedError: It is not fitted.
            ImageError: An image cannot be read.
            TypeError, ValueError: X is no sequence of images.
        """
        check_is_fitted(self)
        return self.classifier_.predict_proba(self._images(X))[:, self._columns]

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """(n, N) log-probabilities; of two classes, (n,) log-odds of the second.

        Raises as :meth:`predict_proba`.
        """
        logits = np.log(self.predict_proba(X).clip(_LEAST).astype(np.float64))
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) the most probable classes. Raises as :meth:`predict_proba`."""
        best = self.predict_proba(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def is_known(self, X: Any) -> NDArray[np.bool_]:
        """(n,) whether each image looks like any of the classes (docs/unknown.md).

        Raises as :meth:`predict_proba`.
        """
        check_is_fitted(self)
        answers = self.classifier_.explain(self._images(X), evidence=0)
        return np.array([answer.known for answer in answers], dtype=np.bool_)

    def _images(self, X: Any) -> list[Image]:
        return images_of(X)

    def _settings(self, of_strings: bool) -> ClassifierSettings:
        try:
            settings = ClassifierSettings(
                method=self.method,
                templates=list(self.templates),
                names_carry_meaning=self.names_carry_meaning and of_strings,
                false_rejection_rate=self.false_rejection_rate,
                support_views=self.support_views,
            )
        except ValidationError as error:
            raise ValueError(str(error)) from error
        if HEADS[self.method].needs_names and not settings.names_carry_meaning:
            raise ValueError(
                f"method={self.method!r} knows classes by their names alone: give labels that are "
                "strings, names_carry_meaning=True, or choose another method"
            )
        return settings

    def _take(self, fitted: Classifier, classes: NDArray[Any]) -> None:
        self.classes_, self.classifier_ = classes, fitted
        columns = {name: column for column, name in enumerate(fitted.classes_)}
        self._columns = [columns[str(label)] for label in classes.tolist()]

    def _to_save(self) -> SavedEstimator:
        file = io.BytesIO()
        self.classifier_.save(file)
        return SavedEstimator(
            estimator=type(self).__name__,
            parameters=self._plain_parameters(),
            classes=self.classes_,
            fitted={},
            tensors={"classifier": torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)},
        )

    def _restore(self, saved: SavedEstimator, what: str) -> None:
        content = saved.tensors.get("classifier")
        if content is None:
            raise SavedClassifierError(f"{what} is damaged: it holds no classifier")
        texts = (self.backbone, self.adapter or "", self.prompts or "", self.precision)
        if not all(isinstance(one, str) for one in texts):
            raise SavedClassifierError(f"{what} is damaged: its backbone is none")
        classifier = Classifier.load(io.BytesIO(content.numpy().tobytes()), self._backbone())
        if sorted(map(str, saved.classes.tolist())) != sorted(classifier.classes_):
            raise SavedClassifierError(f"{what} is damaged: its classes are others")
        self._take(classifier, saved.classes)


def _names(labels: NDArray[Any]) -> list[str]:
    """The labels as the Python API names classes.

    Raises:
        ValueError: One cannot be a name.
    """
    names = [str(label) for label in labels.tolist()]
    for name in names:
        try:
            is_fine = checked_label(name) == name
        except StatusProblem as problem:
            raise ValueError(f"the label {name!r} cannot be used: {problem.detail}") from problem
        if not is_fine:
            raise ValueError(f"the label {name!r} has spaces around it, or is not in Unicode's NFC")
    return names
