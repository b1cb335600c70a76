"""The recipe of embeddings: choices that change them a little, and that keys and queries share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product, starmap
from typing import Literal, get_args

Precision = Literal["float32", "bfloat16", "int8"]
"""Number format of the products in the image tower."""
Resizing = Literal["pillow", "antialias"]
"""What resizes pictures on a processor: Pillow, or PyTorch's antialiased resampling of eight-bit
pixels, whose levels differ by one here and there. A GPU resizes by its own arithmetic whatever the
recipe says, and differs from Pillow by less."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the towers of a given model are computed.

    Embeddings of two recipes are alike, but not alike enough to be compared with each other:
    each recipe has a fingerprint of its own. The default is what all versions until 0.2 did.

    Attributes:
        precision: Of the image tower.
        resizing: Of pictures before it.
    """

    precision: Precision = "float32"
    resizing: Resizing = "pillow"

    def fingerprint(self, model: str) -> str:
        """Hex digest of the recipe and what it is applied to.

        Args:
            model: Fingerprint of weights, preprocessing and correction, which is also that of the
                default recipe.
        """
        if self == Recipe():
            return model
        return hashlib.sha256(f"{model} {self.precision} {self.resizing}".encode()).hexdigest()

    def fingerprint_of_texts(self, model: str) -> str:
        """Hex digest of what decides the embedding of a text: the model, and float32 or bfloat16.

        Texts are rounded where images are in bfloat16. They may be compared with images of any
        recipe: rounding changes them by far less than texts differ from images.

        Args:
            model: As :meth:`fingerprint`.
        """
        if self.precision != "bfloat16":
            return model
        return hashlib.sha256(f"{model} texts {self.precision}".encode()).hexdigest()


ChooseRecipe = Callable[[str], Recipe]
"""The recipe for a model, by the model's fingerprint."""


def new_recipe(precision: Precision) -> Recipe:
    """The recipe of embeddings that are made anew in a precision.

    float32 is what it has always been, to the last digit, and resizes by Pillow; embeddings of
    another precision are others anyway, and are resized the quicker way.
    """
    return Recipe(precision, "pillow" if precision == "float32" else "antialias")


def recipes() -> list[Recipe]:
    """All there are, the default one first."""
    return list(starmap(Recipe, product(get_args(Precision), get_args(Resizing))))


def recipe_with(fingerprint: str, model: str) -> Recipe | None:
    """The recipe of a model that has this fingerprint; None if none has.

    Args:
        fingerprint: Of a recipe.
        model: Fingerprint of the model.
    """
    return next((one for one in recipes() if one.fingerprint(model) == fingerprint), None)
