"""An even draw of a few items a class, from a list of any length, in one pass."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Reservoir(Generic[Item]):
    """Keeps n items of each class, each with the same chance (algorithm R of Vitter, 1985).

    The draw of a class depends on the seed, its name and the order of its own items.

    Args:
        per_class: n; None keeps all.
        seed: Decides the draws.
    """

    def __init__(self, per_class: int | None, seed: int) -> None:
        self.per_class = per_class
        self.seed = seed
        self._kept: dict[str, list[Item]] = {}
        self._seen: dict[str, int] = {}
        self._random: dict[str, random.Random] = {}

    def add(self, label: str, item: Item) -> None:
        """Offer an item of a class."""
        kept = self._kept.setdefault(label, [])
        if self.per_class is None or len(kept) < self.per_class:
            kept.append(item)
        else:
            if label not in self._random:
                self._random[label] = random.Random(f"{self.seed}/{label}")  # noqa: S311 - a draw, no secret
            # This is item number `seen`, counted from 0: it stays with probability n / (seen + 1).
            seen = self._seen.get(label, self.per_class)
            if (place := self._random[label].randrange(seen + 1)) < self.per_class:
                kept[place] = item
            self._seen[label] = seen + 1

    def classes(self) -> list[str]:
        """The classes, in the order of their names."""
        return sorted(self._kept)

    def __iter__(self) -> Iterator[tuple[str, Item]]:
        """All that is kept, class by class, each item once."""
        for label in self.classes():
            for item in dict.fromkeys(self._kept[label]):
                yield label, item
