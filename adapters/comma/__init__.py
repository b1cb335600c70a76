"""COMMA: learned prompts in both towers (Hu et al., AAAI 2024, arXiv 2401.00268)."""

from adapters.comma.augmentation import augmented
from adapters.comma.backbone import PromptedBackbone, load_prompted
from adapters.comma.checkpoint import PROMPTS_NAME, TrainedPrompts, load_prompts
from adapters.comma.config import CommaConfig
from adapters.comma.errors import PromptError
from adapters.comma.training import DEFAULTS, Learned, learn_prompts

__all__ = [
    "DEFAULTS",
    "PROMPTS_NAME",
    "CommaConfig",
    "Learned",
    "PromptError",
    "PromptedBackbone",
    "TrainedPrompts",
    "augmented",
    "learn_prompts",
    "load_prompted",
    "load_prompts",
]
