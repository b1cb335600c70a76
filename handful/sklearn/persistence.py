"""What both classifiers share: files without pickle, and pickles without tensors for joblib."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from adapters.whole_files import written_whole
from handful.saved import SavedClassifierError
from handful.sklearn.saved_file import SavedEstimator, from_bytes, to_bytes

_IN_PICKLES = "_saved"


class PersistenceMixin:
    """``save`` and ``load``; a pickle holds the bytes of the same file in place of what is fitted.

    Joblib's processes, ``deepcopy`` and ``pickle`` so take plain values alone, and what they hold
    is read by the same checks. Still, pickles of strangers execute whatever they say: files are
    for :meth:`save`.
    """

    #: Parameters that belong to a machine, and are not written to a file.
    _not_saved: ClassVar[frozenset[str]] = frozenset()
    #: Attributes that hold what is fitted.
    _of_fit: ClassVar[tuple[str, ...]]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator as one file; one that is there is replaced whole.

        Raises:
            NotFittedError: It is not fitted.
            ValueError: Its classes are of a type that no file holds.
            OSError: It cannot be written.
        """
        check_is_fitted(self)
        content = to_bytes(self._to_save())
        with written_whole(Path(path)) as part:
            part.write_bytes(content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote; it answers bit for bit as that one did.

        Raises:
            SavedClassifierError: It is no such file, damaged, or of another estimator or backbone.
            OSError: There is no file.
        """
        saved = from_bytes(Path(path).read_bytes(), os.fspath(path))
        if saved.estimator != cls.__name__:
            raise SavedClassifierError(f"{path} holds a {saved.estimator}, not a {cls.__name__}")
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in saved.parameters.items()
        }
        try:
            estimator = cls(**values)
        except TypeError as error:
            raise SavedClassifierError(
                f"{path} is of another version of Handful: {error}"
            ) from error
        estimator._restore(saved, os.fspath(path))
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        if all(name in state for name in self._of_fit):
            for name in self._of_fit:
                del state[name]
            state[_IN_PICKLES] = to_bytes(self._to_save())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        content = state.get(_IN_PICKLES)
        rest = {name: value for name, value in state.items() if name != _IN_PICKLES}
        super().__setstate__(rest)  # type: ignore[misc]
        if content is not None:
            self._restore(from_bytes(content, "the pickle"), "the pickle")

    def _plain_parameters(self) -> dict[str, Any]:
        """The constructor's parameters in JSON's types."""
        values: dict[str, Any] = self.get_params(deep=False)  # type: ignore[attr-defined]
        return {
            name: _plain(value) for name, value in values.items() if name not in self._not_saved
        }

    @abstractmethod
    def _to_save(self) -> SavedEstimator:
        """What is fitted, to be written."""

    @abstractmethod
    def _restore(self, saved: SavedEstimator, what: str) -> None:
        """Be fitted as what was saved.

        Raises:
            SavedClassifierError: It cannot be; ``what`` names the file.
        """


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):  # of a grid
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return list(value) if isinstance(value, tuple) else value
