"""Rows as bytes: one canonical encoding, whichever database they are of.

A cell begins with a byte that says what it is:

    n                 null
    t, f              true, false
    i                 an integer: 8 bytes, big-endian, two's complement
    d                 a number: 8 bytes, IEEE 754 binary64, big-endian; never a negative zero
    m                 a point in time: as ``i``, microseconds since 1970-01-01T00:00:00Z
    s, j, b           text (UTF-8), JSON (its text, UTF-8), bytes: after their length, 4 bytes

A row is its cells in the order of the columns. What does not fit its column, as SQLite lets it be
where a file was written by others, is kept as what it is: an integer or a text, say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import TypeAlias

from service.moving.errors import BackupError
from service.moving.schema import Kind

Cell: TypeAlias = "bool | int | float | str | bytes | datetime | None"
"""A value as Python has it: JSON as its text, times with UTC as their zone."""
Row: TypeAlias = tuple[Cell, ...]

_INTEGER, _REAL, _LENGTH = Struct(">cq"), Struct(">cd"), Struct(">cI")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What a cell of a kind is when it fits; None fits all.
_FITTING: dict[Kind, type] = {
    Kind.INTEGER: int,
    Kind.REAL: float,
    Kind.BOOLEAN: bool,
    Kind.TEXT: str,
    Kind.BYTES: bytes,
    Kind.JSON: str,
    Kind.MOMENT: datetime,
}
_ONLY_IN = {b"t": Kind.BOOLEAN, b"f": Kind.BOOLEAN, b"m": Kind.MOMENT, b"j": Kind.JSON}


def fits(cell: Cell, kind: Kind) -> bool:
    """Whether a value is of the kind of its column."""
    return cell is None or type(cell) is _FITTING[kind]


def encoded_row(row: Sequence[Cell], kinds: Sequence[Kind]) -> bytes:
    """The bytes of a row.

    Raises:
        OverflowError: A value is longer than 4 GiB.
    """
    return b"".join(
        part for cell, kind in zip(row, kinds, strict=True) for part in _encoded(cell, kind)
    )


def decoded_rows(data: bytes, kinds: Sequence[Kind]) -> Iterator[Row]:
    """Rows, of which the bytes have to be whole ones.

    Raises:
        BackupError: They are not, or have what no row has.
    """
    view, at = memoryview(data), 0
    while at < len(data):
        row: list[Cell] = []
        for kind in kinds:
            cell, at = _decoded(view, at, kind)
            row.append(cell)
        yield tuple(row)


def _encoded(cell: Cell, kind: Kind) -> tuple[bytes, ...]:
    match cell:
        case None:
            return (b"n",)
        case bool():
            return (b"t" if cell else b"f",)
        case int():
            return (_INTEGER.pack(b"i", cell),)
        case float():
            return (_REAL.pack(b"d", cell + 0.0),)  # of SQLite a negative zero comes back as one
        case str():
            written = cell.encode()
            return _LENGTH.pack(b"j" if kind is Kind.JSON else b"s", len(written)), written
        case bytes():
            return _LENGTH.pack(b"b", len(cell)), cell
        case datetime():
            return (_INTEGER.pack(b"m", (cell - _EPOCH) // _MICROSECOND),)


def _decoded(view: memoryview, at: int, kind: Kind) -> tuple[Cell, int]:
    tag = bytes(view[at : at + 1])
    if _ONLY_IN.get(tag, kind) is not kind or (tag == b"s" and kind is Kind.JSON):
        raise BackupError(f"a cell of a column of {kind} is marked as {tag.decode()}")
    match tag:
        case b"n":
            return None, at + 1
        case b"t" | b"f":
            return tag == b"t", at + 1
        case b"i":
            return _number(view, at, _INTEGER), at + _INTEGER.size
        case b"d":
            return _number(view, at, _REAL), at + _REAL.size
        case b"m":
            return _moment(_number(view, at, _INTEGER)), at + _INTEGER.size
        case b"s" | b"j" | b"b":
            begin = at + _LENGTH.size
            end = begin + _number(view, at, _LENGTH)
            if end > len(view):
                raise BackupError("a row is cut short")
            return _string(bytes(view[begin:end]), tag), end
        case _:
            raise BackupError("a row is cut short, or has a cell of no known kind")


def _number(view: memoryview, at: int, struct: Struct) -> int:
    if at + struct.size > len(view):
        raise BackupError("a row is cut short")
    number: int = struct.unpack_from(view, at)[1]
    return number


def _moment(microseconds: int) -> datetime:
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError as error:
        raise BackupError("a time is beyond the year 9999") from error


def _string(written: bytes, tag: bytes) -> str | bytes:
    if tag == b"b":
        return written
    try:
        return written.decode()
    except UnicodeDecodeError as error:
        raise BackupError("a text is no UTF-8") from error
