"""Backbones: CLIP dual encoders, frozen, behind one interface."""

from adapters.backbone_errors import BackboneError, UnsafeWeights, WeightsUnavailable
from adapters.backbones.backbone import Backbone
from adapters.backbones.dual_encoder import DualEncoder

__all__ = ["Backbone", "BackboneError", "DualEncoder", "UnsafeWeights", "WeightsUnavailable"]
