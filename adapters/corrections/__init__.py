"""Corrections of intra-modal overlap: how an image gets its second embedding."""

from adapters.corrections.correction import BeforeProjection, Correction, Uncorrected

__all__ = ["BeforeProjection", "Correction", "Uncorrected"]
