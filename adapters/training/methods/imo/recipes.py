"""The recipes that an adapter can be trained by, by name."""

from __future__ import annotations

from adapters.training.methods.imo.objectives import (
    dino,
    dino_published,
    distillation,
    relational,
    supervised,
    supervised_published,
)
from adapters.training.methods.imo.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "supervised": supervised.RECIPE,
    "dino": dino.RECIPE,
    "distillation": distillation.RECIPE,
    "relational": relational.RECIPE,
    "supervised-published": supervised_published.RECIPE,
    "dino-published": dino_published.RECIPE,
}
"""A new one is a module in ``objectives/`` with a ``RECIPE``, and its line here."""
