"""The current name of a classifier: work that takes long goes on where it is renamed meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio.to_thread

from service.problems import ClassifierNotFound

T = TypeVar("T")


async def by_current_name(
    name_of: Callable[[], str | None], do: Callable[[str], Awaitable[T]]
) -> T | None:
    """Do something by the name that a classifier has now: it may be renamed at any time.

    Args:
        name_of: Reads its qualified name, None where it is gone; blocks.
        do: Raises ``ClassifierNotFound`` where the name is not its any more.

    Returns:
        What ``do`` does; None: the classifier is gone.

    Raises:
        ClassifierNotFound: It is there, and cannot be had by its name.
    """
    name = await anyio.to_thread.run_sync(name_of)
    while name is not None:
        try:
            return await do(name)
        except ClassifierNotFound:
            before, name = name, await anyio.to_thread.run_sync(name_of)
            if name == before:
                raise
    return None
