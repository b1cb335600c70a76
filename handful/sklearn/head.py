"""Few-shot classification of embeddings: the service's heads behind scikit-learn's contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted, check_scalar, validate_data
from torch import Tensor

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Tuning
from handful.saved import SavedClassifierError
from handful.sklearn.labels import classes_among
from handful.sklearn.persistence import PersistenceMixin
from handful.sklearn.saved_file import SavedEstimator
from service.registry.negatives import parted
from service.stored_tuning import TuningError, check_numbers, read_tuning

# Queries that are answered at a time: some heads hold a number for each of them and each image.
_BATCH = 1024
# The code of explicit negatives, as `classes_among` gives it.
_NEGATIVE = -1


class HandfulHead(ClassifierMixin, PersistenceMixin, BaseEstimator):
    """Training-free few-shot classifier of embeddings, tuned by leave-one-out (docs/heads.md).

    There are no texts here: images alone answer, as with ``names_carry_meaning: false`` in the
    service. Rows are scaled to unit length, as embeddings of CLIP are, and are computed with in the
    precision of X, float32 or float64. Nothing is drawn at random.

    Args:
        method: A head that needs no class names; those with and without ++ are the same here.
        false_rejection_rate: Share of samples of the classes that :meth:`is_known` may deny.

    Attributes:
        classes_: (N,) the labels, sorted; without ``not-these``, the label of explicit negatives.
        n_features_in_: The width of the embeddings.
    """

    _of_fit: ClassVar[tuple[str, ...]] = ("_fitted",)
    _fitted: FewShotClassifier

    def __init__(self, method: str = "auto", *, false_rejection_rate: float = 0.05) -> None:
        self.method = method
        self.false_rejection_rate = false_rejection_rate

    def fit(self, X: Any, y: Any) -> Self:
        """Store the support set and tune on it; costs as docs/heads.md says, a tenth of a second.

        Args:
            X: (n, d) embeddings.
            y: (n,) labels; ``not-these`` of what is of no class.

        Raises:
            ValueError: X or y, or a parameter, is not as it should be.
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        classes, places = classes_among(y)
        self._fitted = self._fitted_to(_unit_rows(X), torch.from_numpy(places), len(classes))
        self.classes_ = classes
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """(n, N) calibrated logits of ``classes_``; of two, (n,) the second's less the first's.

        Raises:
            NotFittedError: It is not fitted.
            ValueError: X is not as it should be.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(n, N) calibrated probabilities; rows sum to one. Raises as `decision_function`."""
        probabilities: NDArray[np.float64] = softmax(self._logits(X), axis=1)
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) the most probable classes. Raises as :meth:`decision_function`."""
        best = self._logits(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def is_known(self, X: Any) -> NDArray[np.bool_]:
        """(n,) whether each sample looks like any of the classes (docs/unknown.md).

        Raises as :meth:`decision_function`.
        """
        known = [self._fitted.answer(rows, 0).known for rows in self._queries(X)]
        return torch.cat(known).numpy()

    def _logits(self, X: Any) -> NDArray[np.float64]:
        logits = [self._fitted.head_.score(rows, 0).logits for rows in self._queries(X)]
        scaled: NDArray[np.float64] = torch.cat(logits).double().numpy()
        return scaled / self._fitted.tuning.temperature

    def _queries(self, X: Any) -> Iterator[ImageEmbeddings]:
        check_is_fitted(self)
        dtype = self._fitted.support.embeddings.frozen.numpy().dtype
        X = validate_data(self, X, reset=False, dtype=dtype)
        for batch in gen_batches(len(X), _BATCH):
            rows = _unit_rows(X[batch])
            yield ImageEmbeddings(rows, rows)

    def _fitted_to(
        self, rows: Tensor, codes: Tensor, n_classes: int, tuning: Tuning | None = None
    ) -> FewShotClassifier:
        if self.method not in HEADS or HEADS[self.method].needs_names:
            usable = [name for name, head in HEADS.items() if not head.needs_names]
            raise ValueError(f"method={self.method!r}: choose one of {', '.join(usable)}")
        check_scalar(
            self.false_rejection_rate,
            "false_rejection_rate",
            (int, float, np.floating),
            min_val=0,
            max_val=1,
            include_boundaries="left",
        )
        every = SupportSet(torch.arange(len(codes)), codes, ImageEmbeddings(rows, rows))
        support, negatives = parted(every, _NEGATIVE)
        fitted = FewShotClassifier(
            self.method, false_rejection_rate=float(self.false_rejection_rate)
        )
        classes = ClassSet(torch.arange(n_classes), None)
        return fitted.fit(classes, support, tuning, negatives=negatives)

    def _to_save(self) -> SavedEstimator:
        support = self._fitted.support
        if self._fitted.negatives is not None:
            support = support.with_added(self._fitted.negatives)
            support = support[support.ids.argsort()]
        return SavedEstimator(
            estimator=type(self).__name__,
            parameters=self._plain_parameters(),
            classes=self.classes_,
            fitted={"tuning": self._fitted.tuning.as_dict()},
            tensors={"embeddings": support.embeddings.frozen, "labels": support.labels},
        )

    def _restore(self, saved: SavedEstimator, what: str) -> None:
        rows, codes = _checked(saved, what)
        try:
            tuning = read_tuning(self.method, saved.fitted.get("tuning"))
            check_numbers(tuning)
            self._fitted = self._fitted_to(rows, codes, len(saved.classes), tuning)
        except (TuningError, TypeError, ValueError) as error:
            raise SavedClassifierError(f"{what} is damaged: {error}") from error
        self.classes_, self.n_features_in_ = saved.classes, rows.shape[1]


def _unit_rows(X: NDArray[Any]) -> Tensor:
    """(n, d) rows of unit length, in their precision; zeros stay."""
    return torch.from_numpy(np.ascontiguousarray(normalize(X)))


def _checked(saved: SavedEstimator, what: str) -> tuple[Tensor, Tensor]:
    """The (n, d) embeddings and (n,) codes of a file, from which a head can be fitted."""
    rows, codes = saved.tensors.get("embeddings"), saved.tensors.get("labels")
    if rows is None or codes is None or len(saved.tensors) > 2:
        raise SavedClassifierError(f"{what} is damaged: it has not the tensors of a HandfulHead")
    if rows.dtype not in (torch.float32, torch.float64) or rows.ndim != 2 or not rows.shape[1]:
        raise SavedClassifierError(f"{what} is damaged: its embeddings are no rows of numbers")
    lengths = rows.double().norm(dim=1)
    if not bool(((lengths - 1).abs() < 1e-3).logical_or(lengths == 0).all()):
        raise SavedClassifierError(f"{what} is damaged: its embeddings are not of unit length")
    every = set(range(len(saved.classes)))
    if codes.dtype != torch.int64 or codes.shape != rows.shape[:1]:
        raise SavedClassifierError(f"{what} is damaged: it has not a label for each embedding")
    if set(codes.tolist()) - {_NEGATIVE} != every:
        raise SavedClassifierError(f"{what} is damaged: its labels are not those of its classes")
    return rows, codes
