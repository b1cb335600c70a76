"""The history: every request of the clients and its answer, with their times.

Herlihy and Wing, Linearizability: a correctness condition for concurrent objects, ACM TOPLAS 12(3),
1990. Times are of one clock, that of the process in which all clients run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["done", "refused", "unknown"]
"""What the client knows: answered with success, answered with a problem, or never answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation, as its client saw it.

    Attributes:
        number: Of it, in the order in which they began.
        client: Who sent it.
        classifier: Which it was about.
        kind: One of those that ``model.after`` knows.
        asked: What was sent.
        began: Seconds when it was first sent.
        ended: When it was answered; of what never was, from when on it cannot take effect any more.
        outcome: What the client knows of it.
        status: Of the answer; 0 without one, and 503 for all that say to come again.
        seen: Of a read, the images that were there, as [label, image] in any order.
    """

    number: int
    client: int
    classifier: str
    kind: str
    asked: dict[str, Any]
    began: float
    ended: float
    outcome: Outcome
    status: int = 0
    seen: tuple[tuple[str, str], ...] | None = None


class History:
    """Operations as they end, and what was done to the service meanwhile; for many threads.

    Args:
        file: Where each is appended as a line of JSON; None: in memory alone.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file = None if file is None else file.open("a")
        self._begun = 0
        self.operations: list[Operation] = []

    def next_number(self) -> int:
        """Of an operation that begins."""
        with self._lock:
            self._begun += 1
            return self._begun

    def add(self, operation: Operation) -> None:
        """An operation that has ended."""
        with self._lock:
            self.operations.append(operation)
            self._write(asdict(operation))

    def fault(self, at: float, what: str) -> None:
        """Something was done to the service."""
        with self._lock:
            self._write({"at": at, "fault": what})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()


def read_history(file: Path) -> Iterator[Operation]:
    """The operations of a file, to be checked again."""
    with file.open() as lines:
        for line in lines:
            told = json.loads(line)
            if "fault" not in told:
                seen = told.pop("seen")
                yield Operation(**told, seen=None if seen is None else tuple(map(tuple, seen)))
