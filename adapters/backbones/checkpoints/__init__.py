"""Checkpoints as people have them, read without executing anything, as open_clip's weights."""

from adapters.backbones.checkpoints.weights import Weights

__all__ = ["Weights"]
