"""Clocks: idempotency keys, keys that end and traces of several machines go by them."""

from __future__ import annotations

import ctypes
import ctypes.util
import time
from collections.abc import Iterator

from service.checkup.finding import Finding, ok, warning
from service.settings import Settings

# Of the kernel's clock (adjtimex(2)): nobody has set it right.
_ERROR = 5
# This program was not written before.
_EARLIEST = 1_750_000_000


def look_at_clocks(_: Settings) -> Iterator[Finding]:
    """Look at this machine's clocks."""
    now = time.time()
    told = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < _EARLIEST:
        yield warning(f"it is {told} here", "set the clock: certificates and keys go by it")
    else:
        step = time.get_clock_info("monotonic").resolution
        yield ok(f"it is {told} here, monotonic by {step:g} s")
    synchronised = _synchronised()
    if synchronised is None:
        yield ok("whether a server keeps it right is not known")
    elif synchronised:
        yield ok("the kernel says that it is kept right (NTP)")
    else:
        yield warning(
            "the kernel does not know of anything that keeps it right",
            "run chrony or systemd-timesyncd, unless the host of this container does",
        )


def _synchronised() -> bool | None:
    """What the kernel says of its clock; None where it cannot be asked."""
    try:
        library = ctypes.CDLL(ctypes.util.find_library("c"))
        # struct timex, of which all is 0: nothing is set, only asked for.
        asked = (ctypes.c_char * 512)()
        state = library.adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError, TypeError):
        return None
    return None if state < 0 else state != _ERROR
