"""Requests on the wire, parted: the bytes of images stay where they are, the rest is small.

Protocol Buffers are tags with values (their encoding guide): an element of two bytes costs a parser
some thirty, and a message of 64 MiB, of nothing but those, a gigabyte. Only what is left without
images is parsed, within a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from service.problems import InvalidRequest, RequestTooLarge

# Fields of ModelInferRequest, InferInputTensor and InferTensorContents.
_INPUTS, _RAW = 5, 7
_CONTENTS = 5
_BYTES = 8
# Bytes of a message beside its images: names, shapes, parameters, wanted outputs.
_MOST_LEFT = 64 * 1024
_MOST_INPUTS = 16
# Fields of a message beside its images, each of which costs as much as an image here.
_MOST_FIELDS = 1000
_LONGEST_VARINT = 10
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5


@dataclass(slots=True)
class PartedInput:
    """An input tensor.

    Attributes:
        left: Its message without contents.
        elements: Bytes of its contents.
        has_contents: Whether there are any, of whichever type.
    """

    left: bytearray = field(default_factory=bytearray)
    elements: list[memoryview] = field(default_factory=list)
    has_contents: bool = False


@dataclass(slots=True)
class PartedRequest:
    """A ``ModelInferRequest``.

    Attributes:
        left: The message without its inputs and raw contents.
        inputs: The inputs.
        raw: The raw contents of each.
    """

    left: bytearray = field(default_factory=bytearray)
    inputs: list[PartedInput] = field(default_factory=list)
    raw: list[memoryview] = field(default_factory=list)


def parted(message: bytes, most_images: int) -> PartedRequest:
    """A ``ModelInferRequest`` in its parts; copies no image.

    Costs its fields, some 5 µs each, of which there may be a thousand more than images.

    Args:
        message: As it came.
        most_images: Elements that an input may have.

    Raises:
        InvalidRequest: It is none.
        RequestTooLarge: There is too much in it beside images, or too many of these.
    """
    found = PartedRequest()
    size = 0
    counting = _Counting(most_images + _MOST_FIELDS)
    for number, whole, value in _fields(memoryview(message), counting):
        if number == _RAW and value is not None:
            found.raw.append(value)
        elif number == _INPUTS and value is not None:
            found.inputs.append(_input(value, most_images, counting))
            size += len(found.inputs[-1].left)
        else:
            size += len(whole)
            _check(size)
            found.left += whole
        if len(found.inputs) > _MOST_INPUTS or len(found.raw) > _MOST_INPUTS:
            raise InvalidRequest("The message has many inputs; a classifier has one, 'image'.")
        _check(size)
    return found


class _Counting:
    """Counts the fields of a message, whatever they are within.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def one(self) -> None:
        """Count a field.

        Raises:
            RequestTooLarge: There are too many.
        """
        self._left -= 1
        if self._left < 0:
            raise RequestTooLarge(
                f"The message has more than {self._most} fields: more than any use of images,"
                " shapes, parameters and outputs. Send several requests."
            )


def _input(message: memoryview, most_images: int, counting: _Counting) -> PartedInput:
    found = PartedInput()
    for number, whole, value in _fields(message, counting):
        if number == _CONTENTS and value is not None:
            if found.has_contents:
                raise InvalidRequest("An input has contents twice; send all of its images in one.")
            found.has_contents = True
            found.elements = _elements(value, most_images, counting)
        else:
            _check(len(found.left) + len(whole))
            found.left += whole
    return found


def _elements(message: memoryview, most: int, counting: _Counting) -> list[memoryview]:
    found: list[memoryview] = []
    for number, _, value in _fields(message, counting):
        if number != _BYTES or value is None:
            raise InvalidRequest(
                "inputs[0].contents has other than bytes_contents, which hold images."
            )
        if len(found) == most:
            raise RequestTooLarge(
                "The request has more images than are accepted in one"
                " (HANDFUL_MAX_IMAGES_PER_REQUEST). Send several requests."
            )
        found.append(value)
    return found


def _check(size: int) -> None:
    if size > _MOST_LEFT:
        raise RequestTooLarge(
            f"The message has more than {_MOST_LEFT} bytes beside its images: names, shapes and"
            " parameters."
        )


def _fields(
    message: memoryview, counting: _Counting
) -> Iterator[tuple[int, memoryview, memoryview | None]]:
    """Number, whole field, and what is in it where it is delimited."""
    at, end = 0, len(message)
    while at < end:
        counting.one()
        begin = at
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        value = None
        if kind == _DELIMITED:
            size, at = _varint(message, at)
            value = message[at : at + size]
            at += size
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        else:
            raise _damaged(f"a field of the unknown kind {kind}")
        if at > end or number == 0:
            raise _damaged("a field that does not end within it")
        yield number, message[begin:at], value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise _damaged("a number that does not end")


def _damaged(why: str) -> InvalidRequest:
    return InvalidRequest(f"The message is no ModelInferRequest: it has {why}.")
