"""Uvicorn's supervisor of processes, which notices at once that one has died."""

from __future__ import annotations

from uvicorn.supervisors import Multiprocess


class Supervisor(Multiprocess):
    """Asks each process whether it lives, through a pipe that ends with the process.

    Uvicorn keeps the process's end of the pipe open in the parent as well. The answer of one that
    dies while it is asked, as when it cannot start, would be waited for until the health check
    times out, and nobody would replace it before.
    """

    def keep_subprocess_alive(self) -> None:
        """Replace the processes that are dead."""
        for process in self.processes:
            process.child_conn.close()  # the process has inherited its own
        super().keep_subprocess_alive()
