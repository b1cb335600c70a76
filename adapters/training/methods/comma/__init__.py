"""COMMA: how prompts in both towers are learned (Hu et al., AAAI 2024, arXiv 2401.00268)."""

from adapters.training.methods.comma.config import DEFAULTS, PRESETS, CommaPreset, CommaTerms
from adapters.training.methods.comma.method import CommaMethod, ExportedPrompts

__all__ = ["DEFAULTS", "PRESETS", "CommaMethod", "CommaPreset", "CommaTerms", "ExportedPrompts"]
