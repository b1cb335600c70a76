"""`lite`: how its projections are trained; docs/lite.md."""

from adapters.training.methods.lite.config import LiteConfig
from adapters.training.methods.lite.method import LiteMethod

__all__ = ["LiteConfig", "LiteMethod"]
