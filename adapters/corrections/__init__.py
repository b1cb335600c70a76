"""Corrections of intra-modal overlap: how an image gets its second embedding."""

from adapters.corrections.before_projection import BeforeProjection
from adapters.corrections.correction import Correction
from adapters.corrections.uncorrected import Uncorrected

__all__ = ["BeforeProjection", "Correction", "Uncorrected"]
