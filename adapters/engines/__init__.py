"""Inference engines: PyTorch, or something quicker that agrees with it, runs the image tower.

What selects one (:mod:`adapters.engines.selection`) is imported where a model is compiled: it knows
open_clip's towers, which take seconds to import.
"""

from adapters.engines.image_pass import ImagePass
from adapters.engines.inference_engine import Eager, Engine, MakeEngine

__all__ = ["Eager", "Engine", "ImagePass", "MakeEngine"]
