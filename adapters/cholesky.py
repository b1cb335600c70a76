"""Cholesky factors of positive definite matrices, by LAPACK without PyTorch's cost of a call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters import lapack
from adapters.rest import Rest, no_rest, parts


class Cholesky:
    """``A = L Lᵀ`` of an (r, r) matrix, float32 or float64, in O(r³); the upper triangle is read.

    Raises:
        ValueError: A is not positive definite.
    """

    def __init__(self, matrix: NDArray[Any]) -> None:
        self._upper = np.array(matrix, order="C")
        if not lapack.factorise(self._upper):
            raise ValueError("the matrix is not positive definite")

    def solved(self, rows: NDArray[Any], rest: Rest = no_rest) -> NDArray[Any]:
        """(m, r) ``L⁻¹ x`` of each row x, O(m · r²)."""
        solution = np.array(rows, self._upper.dtype, order="C")
        for part in parts(len(solution), len(self._upper) ** 2 / 2, rest):
            lapack.solve_rows(self._upper, solution[part])
        return solution

    def inverse(self) -> NDArray[Any]:
        """(r, r) ``A⁻¹``, O(r³)."""
        inverse = self._upper.copy()
        lapack.invert(inverse)
        lapack.mirror(inverse)
        return inverse
