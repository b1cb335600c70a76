"""Routines of BLAS and LAPACK without Python's lock (GIL).

SciPy's functions hold the lock for as long as a routine runs: 10 to 100 ms for matrices of a
thousand rows, in which no other thread of a service answers. These are the same routines of the
same library, by the addresses that SciPy gives to Cython, called through ctypes, which lets go of
the lock. PyTorch's let go of it, too, and take two to three times as long on some processors.

Fortran's columns are NumPy's rows: arrays here are C-contiguous along their last axis, and
triangles are *upper*: ``A = Uᵀ U`` with ``U = Lᵀ``. One of LAPACK's takes as long as it takes, 10
to 20 ms at r = 1280; what has many rows is for the caller to divide.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import LowLevelCallable
from scipy.linalg import cython_blas, cython_lapack

_name_of = ctypes.pythonapi.PyCapsule_GetName
_name_of.restype, _name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
_address_of = ctypes.pythonapi.PyCapsule_GetPointer
_address_of.restype, _address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _routine(module: Any, name: str) -> Callable[..., None]:
    callback = LowLevelCallable.from_cython(module, name)
    capsule: Any = callback.function
    types = [ctypes.c_void_p] * len(callback.signature.split(","))
    address = _address_of(capsule, _name_of(capsule))
    return ctypes.CFUNCTYPE(None, *types)(address)


class _Routines(NamedTuple):
    real: Any
    potrf: Callable[..., None]
    potri: Callable[..., None]
    pstrf: Callable[..., None]
    syrk: Callable[..., None]
    trsm: Callable[..., None]


def _routines(letter: str, real: Any) -> _Routines:
    lapack = [_routine(cython_lapack, letter + name) for name in ("potrf", "potri", "pstrf")]
    blas = [_routine(cython_blas, letter + name) for name in ("syrk", "trsm")]
    return _Routines(real, *lapack, *blas)


_BY_TYPE = {
    np.dtype(np.float32): _routines("s", ctypes.c_float),
    np.dtype(np.float64): _routines("d", ctypes.c_double),
}


def factorise(matrix: NDArray[Any]) -> bool:
    """Replace the upper triangle of an (r, r) matrix by ``U``, O(r³); not what is below it.

    Returns:
        Whether the matrix is positive definite; its content is lost if not.
    """
    info = ctypes.c_int()
    size = ctypes.byref(ctypes.c_int(len(matrix)))
    _BY_TYPE[matrix.dtype].potrf(b"L", size, _data(matrix), _stride(matrix), ctypes.byref(info))
    return info.value == 0


def factorise_pivoted(matrix: NDArray[Any], tolerance: float) -> tuple[NDArray[Any], int]:
    """As :func:`factorise`, in the order of what is largest of what is left.

    Args:
        matrix: (r, r), symmetric.
        tolerance: Of the diagonal, under which nothing is left.

    Returns:
        (r,) the rows in their new order, and how many of these have something left.
    """
    routines, r = _BY_TYPE[matrix.dtype], len(matrix)
    info, rank = ctypes.c_int(), ctypes.c_int()
    order, work = np.empty(r, np.int32), np.empty(2 * r, matrix.dtype)
    routines.pstrf(
        b"L",
        ctypes.byref(ctypes.c_int(r)),
        _data(matrix),
        _stride(matrix),
        _data(order),
        ctypes.byref(rank),
        ctypes.byref(routines.real(tolerance)),
        _data(work),
        ctypes.byref(info),
    )
    return order - 1, rank.value


def invert(upper: NDArray[Any]) -> None:
    """Replace the upper triangle of U by that of ``A⁻¹``, O(r³)."""
    info = ctypes.c_int()
    size = ctypes.byref(ctypes.c_int(len(upper)))
    _BY_TYPE[upper.dtype].potri(b"L", size, _data(upper), _stride(upper), ctypes.byref(info))


def solve_rows(upper: NDArray[Any], rows: NDArray[Any], *, back: bool = False) -> None:
    """Replace each of (m, r) rows x by ``L⁻¹ x``, or by ``L⁻ᵀ x`` if ``back``; O(m · r²)."""
    _solve(upper, rows, b"L", b"T" if back else b"N", rows.shape[1], rows.shape[0])


def solve_columns(upper: NDArray[Any], columns: NDArray[Any]) -> None:
    """Replace each column x of (r, m) by ``L⁻¹ x``; O(m · r²)."""
    _solve(upper, columns, b"R", b"T", columns.shape[1], columns.shape[0])


def add_products(rows: NDArray[Any], total: NDArray[Any]) -> None:
    """Add ``Xᵀ X`` of (m, r) rows X to the upper triangle of an (r, r) total; O(m · r²)."""
    routines, one = _BY_TYPE[rows.dtype], _BY_TYPE[rows.dtype].real(1.0)
    routines.syrk(
        b"L",
        b"N",
        ctypes.byref(ctypes.c_int(rows.shape[1])),
        ctypes.byref(ctypes.c_int(rows.shape[0])),
        ctypes.byref(one),
        _data(rows),
        _stride(rows),
        ctypes.byref(one),
        _data(total),
        _stride(total),
    )


def mirror(upper: NDArray[Any]) -> None:
    """Copy the upper triangle of an (r, r) matrix to the lower one, by blocks that caches hold."""
    for a in range(0, len(upper), _MIRRORED):
        b = a + _MIRRORED
        upper[b:, a:b] = upper[a:b, b:].T
        corner = upper[a:b, a:b]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T


_MIRRORED = 128


def _solve(
    upper: NDArray[Any], values: NDArray[Any], side: bytes, transposed: bytes, m: int, n: int
) -> None:
    routines = _BY_TYPE[values.dtype]
    routines.trsm(
        side,
        b"L",
        transposed,
        b"N",
        ctypes.byref(ctypes.c_int(m)),
        ctypes.byref(ctypes.c_int(n)),
        ctypes.byref(routines.real(1.0)),
        _data(upper),
        _stride(upper),
        _data(values),
        _stride(values),
    )


def _data(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _stride(array: NDArray[Any]) -> Any:
    # A single row may say anything of the next.
    return ctypes.byref(ctypes.c_int(max(array.strides[0] // array.itemsize, array.shape[1], 1)))
