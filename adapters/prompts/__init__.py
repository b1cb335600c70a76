"""Learned prompts in both towers: COMMA (Hu et al., AAAI 2024, arXiv 2401.00268)."""

from adapters.backbone_errors import PromptError
from adapters.prompts.checkpoint import PROMPTS_NAME, TrainedPrompts, load_prompts
from adapters.prompts.config import CommaConfig
from adapters.prompts.prompted_backbone import PromptedBackbone

__all__ = [
    "PROMPTS_NAME",
    "CommaConfig",
    "PromptError",
    "PromptedBackbone",
    "TrainedPrompts",
    "load_prompts",
]
