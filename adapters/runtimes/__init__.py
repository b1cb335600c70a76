"""What runs the image tower: PyTorch, or something quicker that agrees with it."""

from adapters.runtimes.choice import fastest
from adapters.runtimes.image_pass import ImagePass
from adapters.runtimes.runtime import Eager, MakeRuntime, Runtime

__all__ = ["Eager", "ImagePass", "MakeRuntime", "Runtime", "fastest"]
