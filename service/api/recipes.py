"""Queries and pools embedded in the recipe of the classifier that they are compared with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.encoding.recipes import RecipeGone
from service.registry.live import LiveClassifier

T = TypeVar("T")


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
    """
    while True:
        live = parts.registry.in_memory(name)
        if live is None:
            live = await run_blocking(parts.registry.live, name)
        with suppress(RecipeGone):  # it has moved, and nobody is left in that recipe
            return live, await embed(live)
