"""How an adapter against intra-modal overlap is trained (Kravets & Namboodiri, BMVC 2024)."""

from adapters.training.methods.imo.config import ImoConfig
from adapters.training.methods.imo.method import ImoMethod
from adapters.training.methods.imo.recipe import Recipe
from adapters.training.methods.imo.recipes import RECIPES

__all__ = ["RECIPES", "ImoConfig", "ImoMethod", "Recipe"]
