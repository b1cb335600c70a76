"""safetensors, written and read piece by piece: numbers are copied once, and nobody is held up.

The library's own functions copy a file whole, several times, while no other thread of Python runs.
The format is a length, a header in JSON and the numbers (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import IO, Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from torch import Tensor

_PIECE = 2**20
_LENGTH_BYTES = 8
_HEADER_BYTES = 64 * 1024
_TYPES: dict[str, torch.dtype] = {"F32": torch.float32, "I64": torch.int64}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_METADATA = "__metadata__"

_Size = Annotated[int, Field(ge=0, lt=2**40)]


class TensorsError(ValueError):
    """They are not in that format, or of other kinds; the message says how."""


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    dtype: Literal["F32", "I64"]
    shape: Annotated[list[_Size], Field(max_length=2)]
    data_offsets: Annotated[list[_Size], Field(min_length=2, max_length=2)]


_HEADER = TypeAdapter(Annotated[dict[str, Any], Field(max_length=16)])
_DESCRIBED = TypeAdapter(dict[str, _Described])


def tensor_pieces(tensors: Mapping[str, Tensor]) -> Iterator[bytes]:
    """The file's bytes, of tensors of float32 and int64 in at most two dimensions."""
    described: dict[str, dict[str, object]] = {}
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    end = 0
    for name, tensor in held.items():
        begin, end = end, end + tensor.nbytes
        described[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    header = json.dumps(described).encode()
    header += b" " * (-len(header) % _LENGTH_BYTES)
    yield len(header).to_bytes(_LENGTH_BYTES, "little") + header
    for tensor in held.values():
        for piece in _pieces(tensor):
            yield bytes(piece)


def read_tensors(file: IO[bytes], size: int) -> dict[str, Tensor]:
    """Read what :func:`tensor_pieces`, or the library, has written.

    Args:
        file: At its beginning; read to its end.
        size: Its bytes; no more is allocated.

    Raises:
        TensorsError: It is none, or has other tensors than of float32 and int64.
    """
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if size < _LENGTH_BYTES or length > min(_HEADER_BYTES, size - _LENGTH_BYTES):
        raise TensorsError(f"its header has {length} bytes, and may have {_HEADER_BYTES}")
    described = _header(file.read(length))
    at = 0
    tensors: dict[str, Tensor] = {}
    in_order = sorted(described.items(), key=lambda item: item[1].data_offsets)
    for name, one in in_order:
        kind = _TYPES[one.dtype]
        begin, end = one.data_offsets
        if begin != at or end - begin != prod(one.shape) * kind.itemsize:
            raise TensorsError(f"{name} does not lie where its header says")
        at = end
    if at != size - _LENGTH_BYTES - length:
        raise TensorsError(f"it has {size} bytes, and its tensors {at}")
    for name, one in in_order:
        tensors[name] = torch.empty(one.shape, dtype=_TYPES[one.dtype])
        for piece in _pieces(tensors[name]):
            _fill(piece, file)
    if file.read(1):  # the end is where a checksum is compared
        raise TensorsError("it goes on behind its tensors")
    return tensors


def _header(written: bytes) -> dict[str, _Described]:
    try:
        header = _HEADER.validate_json(written)
        header.pop(_METADATA, None)
        return _DESCRIBED.validate_python(header)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise TensorsError(f"its header: {place}: {first['msg'][:200]}") from error


def _pieces(tensor: Tensor) -> Iterator[memoryview]:
    """What a contiguous tensor holds, as bytes, by the MiB."""
    numbers: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    for start in range(0, len(numbers), _PIECE):
        yield memoryview(numbers)[start : start + _PIECE]


def _fill(piece: memoryview, file: IO[bytes]) -> None:
    while len(piece):
        part = file.read(len(piece))
        if not part:
            raise TensorsError("it is cut short")
        piece[: len(part)] = part
        piece = piece[len(part) :]
