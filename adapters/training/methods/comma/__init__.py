"""COMMA: how prompts in both towers are learned (Hu et al., AAAI 2024, arXiv 2401.00268)."""

from adapters.training.methods.comma.augmentation import augmented
from adapters.training.methods.comma.training import DEFAULTS, Learned, learn_prompts

__all__ = ["DEFAULTS", "Learned", "augmented", "learn_prompts"]
