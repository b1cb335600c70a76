"""Corrections of intra-modal overlap: how an image gets its second embedding."""

from adapters.corrections.adapter_name import ISOCLIP, NO_ADAPTER, adapter_file
from adapters.corrections.correction import BeforeProjection, Correction, Uncorrected

__all__ = [
    "ISOCLIP",
    "NO_ADAPTER",
    "BeforeProjection",
    "Correction",
    "Uncorrected",
    "adapter_file",
]
