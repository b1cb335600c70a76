"""Graceful shutdown: a process drains on the first SIGTERM or SIGINT, and is gone on the second."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from service.serving.connections import Connections

logger = logging.getLogger("handful")

# Of the time for a shutdown, what is kept for its end: letting cancelled requests go, closing the
# database, joining threads.
_CLOSING = 2.0
# How long after the end of its time a process that is being torn down already is killed.
_TEARDOWN = 0.2


def drain_seconds(shutdown: float) -> float:
    """Seconds in which requests may still be answered, of all that a shutdown may take."""
    return shutdown - min(_CLOSING, shutdown / 3)


def cancel_seconds(shutdown: float) -> float:
    """Seconds after which uvicorn cancels what goes on though its connection was cut."""
    return shutdown - min(_CLOSING, shutdown / 3) / 2


def handle_termination_signals(
    connections: Connections,
    shutdown: float,
    ready: threading.Event,
    stop: Callable[[int, FrameType | None], object] | None = None,
    *,
    on_interrupt: bool = True,
) -> None:
    """Handle SIGTERM and SIGINT from now on; for the event loop's thread.

    Before the process is ready nothing is under way, and it ends at once. Afterwards it stops
    accepting, closes idle connections, and finishes what it was asked. What clients or threads do
    not finish within the time is cut off, and whatever still runs then ends with the process:
    Python itself would wait for its threads. A second signal ends it at once, with the status that
    a shell gives to a process that died of it. What was acknowledged is on the disk all the while.

    Args:
        connections: Of this process.
        shutdown: Seconds from the signal to the end of the process, at most.
        ready: Set once it can serve.
        stop: Makes the server stop; by default what handled the signals before.
        on_interrupt: Whether SIGINT is meant for this process; a terminal sends it to all.
    """
    loop = asyncio.get_running_loop()
    requested = threading.Event()
    threading.Thread(
        target=_end_after, args=(requested, shutdown), name="ending", daemon=True
    ).start()

    def handling(before: Callable[[int, FrameType | None], object]) -> Callable[..., None]:
        def handle(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGINT and not on_interrupt:
                return
            if requested.is_set():
                os._exit(128 + number)
            if not ready.is_set():
                os._exit(0)
            requested.set()
            # Threads stand still while the interpreter is torn down; the kernel's alarm does not.
            signal.setitimer(signal.ITIMER_REAL, shutdown + _TEARDOWN)
            loop.call_soon_threadsafe(connections.drain, drain_seconds(shutdown))
            before(number, frame)

        return handle

    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(before := stop or signal.getsignal(number)):  # uvicorn's
            signal.signal(number, handling(before))


def _end_after(requested: threading.Event, seconds: float) -> None:
    requested.wait()
    time.sleep(seconds)
    logger.error("the shutdown took more than %g s; what still ran was cut off", seconds)
    os._exit(1)
