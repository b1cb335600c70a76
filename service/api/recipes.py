"""Queries and pools embedded in the recipe of the classifier that they are compared with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.encoding.recipes import RecipeGone
from service.problems import ChangedMeanwhile
from service.registry.live import LiveClassifier

T = TypeVar("T")

# Each failure is somebody else's change of how the classifier embeds.
_ATTEMPTS = 10


async def embedded_for(
    parts: ServiceParts, name: str, embed: Callable[[LiveClassifier], Awaitable[T]]
) -> tuple[LiveClassifier, T]:
    """A classifier, and what was embedded in its recipe.

    A classifier in memory never changes its recipe: one that has moved meanwhile is another one,
    and this one still answers, from the state before.

    Args:
        parts: Of the service.
        name: The classifier's.
        embed: Embeds in the recipe of that classifier; nothing is done of it where that is gone.

    Raises:
        ClassifierNotFound: There is none of that name.
        ChangedMeanwhile: It had moved each time.
    """
    live = parts.registry.in_memory(name)
    for _ in range(_ATTEMPTS):
        if live is None:
            live = await run_blocking(parts.registry.live, name)
        with suppress(RecipeGone):  # it has moved, and nobody is left in that recipe
            return live, await embed(live)
        live = None  # the one in memory may be behind what others have changed
    raise ChangedMeanwhile(
        "Others changed how the classifier's images are embedded while this was embedded for it. "
        "Send it again.",
        headers={"retry-after": "1"},
    )
