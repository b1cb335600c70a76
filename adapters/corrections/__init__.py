"""Corrections of intra-modal overlap: how an image gets its second embedding."""

from adapters.corrections.correction import NO_ADAPTER, BeforeProjection, Correction, Uncorrected

__all__ = ["NO_ADAPTER", "BeforeProjection", "Correction", "Uncorrected"]
