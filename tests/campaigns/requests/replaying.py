"""Faults kept as files: what was sent, byte for byte, and sent again to a new service."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.campaigns.requests.attack import Fault
from tests.campaigns.requests.service import attacked

# Seconds of silence after which nothing more is awaited.
_SILENCE = 5.0


class Kept:
    """Files of the faults of a batch: what was sent as it was, and words about it as JSON.

    Args:
        folder: Made with the first of them.
        name: Of the batch.
        mode: Of access, of the service.
    """

    def __init__(self, folder: Path, name: str, mode: str) -> None:
        self._folder, self._name, self._mode = folder, name, mode
        self._number = 0

    def add(self, faults: Sequence[Fault]) -> None:
        """Write down those of the batch that are not there yet."""
        for fault in faults[self._number :]:
            self._folder.mkdir(parents=True, exist_ok=True)
            place = self._folder / f"{self._name}-{self._number}"
            told = {"mode": self._mode, "what": fault.what}
            place.with_suffix(".json").write_text(json.dumps(told))
            if fault.sent:
                place.with_suffix(".bin").write_bytes(fault.sent)
            self._number += 1

    def add_log(self, log: Path) -> None:
        """Keep what the service has told."""
        (self._folder / f"{self._name}.log").write_bytes(log.read_bytes())


def replay(file: Path, backbone: str) -> int:
    """Send what a file holds to a new service, and print what comes back and its log.

    Keys are other ones than they were: what asks for them is refused, but where the mode is open.

    Returns:
        1 where the log has a traceback or the process has ended, as a status.
    """
    told = json.loads(file.with_suffix(".json").read_text())
    print(f"{told['mode']}: {told['what']}")
    with (
        tempfile.TemporaryDirectory() as folder,
        attacked(Path(folder), told["mode"], backbone) as service,
    ):
        begin = service.server.log.stat().st_size
        print(answered(service.server.url, file.read_bytes()).decode("latin-1"))
        ended = service.server.process.poll()
        log = service.server.log.read_bytes()[begin:].decode()
        print(log)
    return int(ended is not None or "Traceback" in log)


def answered(url: str, sent: bytes) -> bytes:
    """All that comes back for these bytes, until there is silence or the connection ends."""
    address = urlsplit(url)
    told, begun = b"", time.monotonic()
    with socket.create_connection((address.hostname or "", address.port or 80)) as connection:
        connection.settimeout(_SILENCE)
        try:
            connection.sendall(sent)
            while more := connection.recv(2**16):
                told += more
        except OSError:
            pass
    return told + f"\n[{time.monotonic() - begun:.1f} s]".encode()
