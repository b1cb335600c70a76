"""Cholesky factors of positive definite matrices, by LAPACK without PyTorch's cost of a call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

_ROUTINES = {
    np.dtype(np.float32): (lapack.spotrf, lapack.strtrs, lapack.spotri),
    np.dtype(np.float64): (lapack.dpotrf, lapack.dtrtrs, lapack.dpotri),
}


class Cholesky:
    """``A = L Lᵀ`` of an (r, r) matrix, float32 or float64, in O(r³).

    Raises:
        ValueError: A is not positive definite.
    """

    def __init__(self, matrix: NDArray[Any]) -> None:
        factorise, self._solve, self._invert = _ROUTINES[matrix.dtype]
        self._lower, failed = factorise(matrix, lower=1)
        if failed:
            raise ValueError("the matrix is not positive definite")

    def solved(self, rows: NDArray[Any]) -> NDArray[Any]:
        """(m, r) ``L⁻¹ x`` of each row x, O(m · r²)."""
        solution: NDArray[Any] = self._solve(self._lower, rows.T, lower=1)[0].T
        return solution

    def solved_back(self, rows: NDArray[Any]) -> NDArray[Any]:
        """(m, r) ``L⁻ᵀ x`` of each row x, O(m · r²)."""
        solution: NDArray[Any] = self._solve(self._lower, rows.T, lower=1, trans=1)[0].T
        return solution

    def inverse(self) -> NDArray[Any]:
        """(r, r) ``A⁻¹``, O(r³)."""
        lower = np.tril(self._invert(self._lower, lower=1)[0])
        inverse: NDArray[Any] = lower + np.tril(lower, -1).T
        return inverse
