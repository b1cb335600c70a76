"""Labels as scikit-learn takes them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from service.name_validation import NOT_THESE


def classes_among(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The (N,) classes, sorted, and the (n,) place of each label among them.

    The label of explicit negatives, ``not-these``, is no class; its place is -1.

    Args:
        y: (n,) labels, at least one.

    Raises:
        ValueError: They are no labels of classes, or all of negatives.
    """
    with warnings.catch_warnings():
        # Few images a class are what this is for, and no sign of a regression.
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        check_classification_targets(y)
    labels, codes = np.unique(y, return_inverse=True)
    is_class = np.array([label != NOT_THESE for label in labels.tolist()])
    if not is_class.any():
        raise ValueError(f"y has no class but {NOT_THESE!r}: give samples of at least one class")
    places = np.where(is_class, np.cumsum(is_class) - 1, -1)
    return labels[is_class], places[codes.reshape(-1)]
