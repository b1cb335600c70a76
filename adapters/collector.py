"""Python's collector of cycles, held back while a process starts."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Collect nothing within, in any thread.

    A start makes hundreds of thousands of objects, nearly all of which stay. The collector would
    walk through those of them that there are a dozen times: a fifth of all imports.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
