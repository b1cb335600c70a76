"""Inference engines: PyTorch, or something quicker that agrees with it, runs the image tower."""

from adapters.engines.image_pass import ImagePass
from adapters.engines.inference_engine import Eager, Engine, MakeEngine
from adapters.engines.selection import fastest

__all__ = ["Eager", "Engine", "ImagePass", "MakeEngine", "fastest"]
