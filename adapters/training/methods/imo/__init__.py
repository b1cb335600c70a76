"""How an adapter against intra-modal overlap is trained (Kravets & Namboodiri, BMVC 2024)."""

from adapters.training.methods.imo.recipes import RECIPES, Recipe, Run

__all__ = ["RECIPES", "Recipe", "Run"]
