"""A file of predictions, a row an image: comma-separated values (RFC 4180), or JSON lines.

A row is written whole and at once, so a command that is killed leaves whole rows, and perhaps a
part of the last one, which is cut off by whoever goes on.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

COLUMNS = (
    "file", "label", "probability", "known", "p_value", "prediction_set", "error", "classifier",
)  # fmt: skip
# Between the labels of a prediction set, which no label can hold.
_BETWEEN = "/"
# Characters that are within quotes (RFC 4180, 2).
_QUOTED = {'"', ",", "\r", "\n"}


class PredictionFileError(Exception):
    """The file cannot be gone on with; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRow:
    """What a classifier says of an image, or why it says nothing.

    Attributes:
        file: The image's, below the folder, separated by ``/``.
        classifier: That was asked.
        prediction_set: Of a classifier whose images may have several labels: those it is given.
        error: Why the image cannot be used; None: it is answered.
    """

    file: str
    classifier: str
    label: str | None = None
    probability: float | None = None
    known: bool | None = None
    p_value: float | None = None
    prediction_set: Sequence[str] | None = None
    error: str | None = None


class PredictionFile:
    """The file, open to be gone on with; a context manager.

    Attributes:
        done: Images that have a row.
        failed: Rows with an error.

    Args:
        path: Its; ``.csv`` or ``.jsonl``.
        classifier: Whose predictions it holds.

    Raises:
        PredictionFileError: It is of another kind or classifier, or another command writes it.
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, classifier: str) -> None:
        self.done: set[str] = set()
        self.failed = 0
        self._path = path
        self._lines = path.suffix.lower() == ".jsonl"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            opened = os.open(path, flags | os.O_EXCL, 0o666)
            self._is_new = True
        except FileExistsError:
            opened = os.open(path, flags, 0o666)
            self._is_new = False
        self._file = os.fdopen(opened, "r+b")
        try:
            self._claim()
            self._go_on(classifier)
        except BaseException:
            self._file.close()
            raise

    def add(self, row: PredictionRow) -> None:
        """Write a row, which is in the file when this returns."""
        self._file.write(_json_line(row) if self._lines else _csv_record(_cells(row)))
        self._file.flush()
        self.done.add(row.file)
        self.failed += row.error is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self._is_new and not self.done:  # nothing was predicted
            self._path.unlink(missing_ok=True)
        self._file.close()

    def _claim(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PredictionFileError(
                f"another command writes {self._path}; wait for it"
            ) from error

    def _go_on(self, classifier: str) -> None:
        """Read what is there, cut off what is not whole, and stand at the end."""
        end = 0
        found = _json_rows(self._file) if self._lines else _csv_rows(self._file)
        try:
            for row, offset in found:
                end = offset
                if row is None:
                    continue
                if row["classifier"] != classifier:
                    raise PredictionFileError(
                        f"{self._path} holds predictions of {row['classifier']}, and not of "
                        f"{classifier}; name another file with --out"
                    )
                self.done.add(row["file"])
                self.failed += bool(row["error"])
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise PredictionFileError(
                f"{self._path} is no file that handful predict wrote ({error}); name another one "
                "with --out"
            ) from error
        self._file.truncate(end)
        self._file.seek(end)
        if not (end or self._lines):
            self._file.write(_csv_record(COLUMNS))
            self._file.flush()


def _csv_rows(file: io.BufferedRandom) -> Iterator[tuple[dict[str, str] | None, int]]:
    """Whole records, each with where it ends; the first is the header, and None."""
    offset, complete = 0, True

    def lines() -> Iterator[str]:
        nonlocal offset, complete
        while line := file.readline():
            offset += len(line)
            complete = line.endswith(b"\n")
            yield line.decode(errors="surrogateescape")

    records = csv.reader(lines(), strict=True)
    header: list[str] | None = None
    while True:
        try:
            record = next(records, None)
        except csv.Error:
            if file.read(1):
                raise
            return  # a quote that is not closed at the end
        if record is None or not complete:
            return
        if header is None:
            header = record
            if tuple(header) != COLUMNS:
                raise ValueError(f"its first line is {','.join(record)[:100]!r}")
            yield None, offset
            continue
        yield dict(zip(COLUMNS, record, strict=True)), offset


def _json_rows(file: io.BufferedRandom) -> Iterator[tuple[dict[str, Any], int]]:
    offset = 0
    while (line := file.readline()).endswith(b"\n"):
        offset += len(line)
        yield json.loads(line), offset


def _cells(row: PredictionRow) -> list[str]:
    labels = row.prediction_set
    return [
        row.file,
        row.label or "",
        _number(row.probability),
        "" if row.known is None else str(row.known).lower(),
        _number(row.p_value),
        "" if labels is None else _BETWEEN.join(labels),
        row.error or "",
        row.classifier,
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _csv_record(cells: Sequence[str]) -> bytes:
    # The writer of Python's csv leaves a carriage return unquoted, which its reader refuses.
    quoted = ('"' + one.replace('"', '""') + '"' if _QUOTED & {*one} else one for one in cells)
    return (",".join(quoted) + "\n").encode(errors="surrogateescape")


def _json_line(row: PredictionRow) -> bytes:
    members = {name: asdict(row)[name] for name in COLUMNS}
    # Bytes of a name that are no UTF-8 are surrogates here, and escaped as JSON has it.
    return json.dumps(members, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
