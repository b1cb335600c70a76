"""Several requests at a time, by threads. Written by hand, as is its counterpart of tasks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

pause = time.sleep


def in_thread(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Read or encode something, in the thread that asks for it."""
    return function(*args, **kwargs)


def each(things: Iterable[Given]) -> Iterator[Given]:
    """Go over something."""
    yield from things


def in_order(
    function: Callable[[Given], Result], given: Iterable[Given], at_once: int
) -> Iterator[Result]:
    """Results in the order of what was given, ``at_once`` of them on their way at most.

    What is given is asked for when there is room for it, by the thread that asks for results. The
    first failure ends all: what has not begun is not begun, what has is waited for.
    """
    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="handful-client") as pool:
        try:
            for one in given:
                running.append(pool.submit(function, one))
                if len(running) >= at_once:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
