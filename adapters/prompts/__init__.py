"""Learned prompts in both towers: COMMA (Hu et al., AAAI 2024, arXiv 2401.00268)."""

from adapters.prompts.backbone import PromptedBackbone, load_prompted
from adapters.prompts.checkpoint import PROMPTS_NAME, TrainedPrompts, load_prompts
from adapters.prompts.config import CommaConfig
from adapters.prompts.errors import PromptError

__all__ = [
    "PROMPTS_NAME",
    "CommaConfig",
    "PromptError",
    "PromptedBackbone",
    "TrainedPrompts",
    "load_prompted",
    "load_prompts",
]
