"""Serialisation: a fitted estimator as one safetensors file, which executes nothing when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from handful.saved import SavedClassifierError

_DESCRIPTION, _DIGEST = "description", "sha256"
# NumPy's arrays of strings give each as much room as the longest.
_LONGEST = 1000
_Scalar = bool | int | float | Annotated[str, StringConstraints(max_length=_LONGEST)]
_Number = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SavedEstimator:
    """What is written of a fitted estimator.

    Attributes:
        estimator: Name of its class.
        parameters: Of its constructor, in JSON's types.
        classes: (N,) its ``classes_``.
        fitted: What else there is to say of it, in JSON's types.
        tensors: Its numbers.
    """

    estimator: str
    parameters: Mapping[str, Any]
    classes: NDArray[Any]
    fitted: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


class _Classes(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: _Number | Literal["str", "object"]
    values: list[_Scalar]


class _Description(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["handful-estimator-1"]
    estimator: str
    parameters: dict[str, _Scalar | list[_Scalar] | None]
    classes: _Classes
    fitted: dict[str, Any]


def to_bytes(saved: SavedEstimator) -> bytes:
    """The file's bytes; the same for the same estimator.

    Raises:
        ValueError: A class is a label of a kind that no file holds.
    """
    kind = "str" if saved.classes.dtype.kind == "U" else saved.classes.dtype.name
    try:
        described = _Description(
            format="handful-estimator-1",
            estimator=saved.estimator,
            parameters=dict(saved.parameters),
            classes=_Classes(type=kind, values=saved.classes.tolist()),  # type: ignore[arg-type]
            fitted=dict(saved.fitted),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(
            f"cannot be saved: {'.'.join(map(str, first['loc']))}: {first['msg']}. Use classes "
            f"that are numbers, or strings of at most {_LONGEST} characters"
        ) from error
    tensors = {
        _DESCRIPTION: _bytes(json.dumps(described.model_dump()).encode()),
        **{name: tensor.contiguous() for name, tensor in saved.tensors.items()},
    }
    return save({**tensors, _DIGEST: _bytes(_digest(tensors))})


def from_bytes(content: bytes, what: str) -> SavedEstimator:
    """Read what :func:`to_bytes` gave; costs as much as its size.

    Args:
        content: Of a file.
        what: The file, for errors.

    Raises:
        SavedClassifierError: It is no such file, damaged, or of another version.
    """
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise SavedClassifierError(f"{what} cannot be read as an estimator: {error}") from error
    digest, description = tensors.pop(_DIGEST, None), tensors.get(_DESCRIPTION)
    if digest is None or description is None:
        raise SavedClassifierError(f"{what} is no estimator of this version of Handful")
    if not torch.equal(digest, _bytes(_digest(tensors))):
        raise SavedClassifierError(f"{what} is damaged: its digest is another one; save it again")
    try:
        found = _Description.model_validate_json(description.numpy().tobytes())
        classes = _array(found.classes)
    except (ValidationError, ValueError, OverflowError) as error:
        raise SavedClassifierError(f"{what} is damaged: {error}") from error
    del tensors[_DESCRIPTION]
    return SavedEstimator(found.estimator, found.parameters, classes, found.fitted, tensors)


def _array(classes: _Classes) -> NDArray[Any]:
    if classes.type == "str" and not all(isinstance(one, str) for one in classes.values):
        raise ValueError("its classes are not all strings")
    array = np.array(classes.values, None if classes.type == "str" else classes.type)
    if len(array) == 0 or len(set(array.tolist())) < len(array):
        raise ValueError("it has no classes, or one twice")
    return array


def _digest(tensors: Mapping[str, Tensor]) -> bytes:
    sha256 = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        sha256.update(tensor.contiguous().view(torch.uint8).numpy().data)
    return sha256.digest()


def _bytes(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)
