"""The recipe of a database: the one that its embeddings were made with, whatever is asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from adapters.recipe import ChooseRecipe, Recipe, recipes

logger = logging.getLogger("handful")


@dataclass(frozen=True, slots=True)
class DatabaseRecipe:
    """Chooses the recipe that a database was made with; what is asked for, where it is empty.

    Keys and queries are always made alike, so nobody has to stop a service because of a new
    version, a new setting or another machine.

    Attributes:
        asked: What the settings ask for.
        stored: Fingerprints of all that the database holds.
    """

    asked: ChooseRecipe
    stored: frozenset[str]

    def __call__(self, model: str) -> Recipe:
        """The recipe for this model; where the database is of another one, what is asked for.

        Args:
            model: Its fingerprint.
        """
        found = [one for one in recipes() if one.fingerprint(model) in self.stored]
        if len(found) == 1:
            return found[0]
        wanted = self.asked(model)
        # Of several, while the database moves from one to another.
        return wanted if wanted in found or not found else found[0]
