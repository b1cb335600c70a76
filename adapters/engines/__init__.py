"""What runs the image tower: PyTorch, or something quicker that agrees with it."""

from adapters.engines.choice import fastest
from adapters.engines.engine import Eager, MakeRuntime, Runtime
from adapters.engines.image_pass import ImagePass

__all__ = ["Eager", "ImagePass", "MakeRuntime", "Runtime", "fastest"]
