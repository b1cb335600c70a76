"""Where a database is between two recipes, as it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from adapters.recipe import Recipe
from service.storage.recipe_move import Move, Progress

State = Literal["none", "embedding", "changing-over", "settling", "waiting", "failed"]
"""What is done at the moment; ``none``: the database is of one recipe, and stays there."""


@dataclass(frozen=True, slots=True)
class ReEmbeddingStatus:
    """Where a database is, and where it goes.

    Attributes:
        state: What is done at the moment.
        recipe: Of the database, or that it moves to; None where it is not known.
        going_back: Whether it undoes a move that was cancelled.
        since: When that was asked for.
        progress: How far it is.
        error: What it waits for, or has failed with.
    """

    state: State
    recipe: Recipe | None
    going_back: bool
    since: datetime | None
    progress: Progress
    error: str | None

    @classmethod
    def of(
        cls,
        move: Move | None,
        progress: Progress,
        fingerprint: str,
        recipe_of: Callable[[str], Recipe | None],
    ) -> ReEmbeddingStatus:
        """The status of a move, or of a database that does not move."""
        recipe = recipe_of(fingerprint)
        if move is None:
            return cls("none", recipe, False, None, progress, None)
        return cls(
            _state(move, progress), recipe, move.going_back, move.since, progress, move.error
        )


def _state(move: Move, progress: Progress) -> State:
    if move.failed:
        return "failed"
    if move.error is not None:
        return "waiting"
    if move.arrived:
        return "settling"
    return "embedding" if progress.images_done < progress.images else "changing-over"
