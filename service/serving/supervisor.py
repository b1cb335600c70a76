"""Process supervisor: uvicorn's, noticing deaths at once; a second signal kills."""

from __future__ import annotations

import signal
from multiprocessing.process import active_children
from socket import socket
from types import FrameType

from uvicorn.config import Config
from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Supervises processes: starts, replaces and ends them; a second signal kills them.

    It asks each process whether it lives, through a pipe that ends with the process. Uvicorn keeps
    the process's end of the pipe open in the parent as well: the answer of one that dies while it
    is asked, as when it cannot start, would be waited for until the health check times out, and
    nobody would replace it before.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def keep_subprocess_alive(self) -> None:
        """Replace the processes that are dead."""
        for process in self.processes:
            process.child_conn.close()  # the process has inherited its own
        super().keep_subprocess_alive()

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self._stopping:
            for process in active_children():
                process.kill()
            raise SystemExit(128 + number)
        self._stopping = True
        self.signal_queue.append(number)
