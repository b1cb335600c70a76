"""The roofline (Williams et al., 2009) by layers: how soon a processor with these peaks is done.

A bound from below: what a layer multiplies and what it moves overlap wholly, nothing else takes
time, weights are read once a pass, and each block moves at the rate of the smallest cache that
holds it. A model with fewer operations (Winograd's convolutions) or layers that are computed
together, tile by tile, could be quicker still; :func:`arithmetic` bounds those as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from benchmarks.limits.operations import Layer


class Rates(Protocol):
    """Bytes a second by the bytes of each core's block."""

    def at(self, size: float) -> float:
        """Of all cores together."""
        ...


def arithmetic(layers: Sequence[Layer], peak: float) -> float:
    """Seconds that the products of a pass take at least.

    Args:
        layers: Of the pass.
        peak: Multiply-adds a second.
    """
    return sum(layer.macs for layer in layers) / peak


def by_layers(
    layers: Sequence[Layer], peak: float, bandwidth: Rates, width: int, cores: int
) -> float:
    """Seconds that a pass takes at least, layer after layer.

    Args:
        layers: Of the pass.
        peak: Multiply-adds a second.
        bandwidth: Of memory and caches.
        width: Bytes of a number.
        cores: That share each layer.
    """
    weights = sum(layer.weights for layer in layers) * width
    rate = bandwidth.at(weights / cores)
    return sum(
        max(
            layer.macs / peak, layer.weights * width / rate + moving(layer, bandwidth, width, cores)
        )
        for layer in layers
    )


def moving(layer: Layer, bandwidth: Rates, width: int, cores: int) -> float:
    """Seconds that a layer's activations take at least to be read and written."""
    size = (layer.read + layer.written) * width
    return size / bandwidth.at(size / cores) if size else 0.0


def bound_by_memory(
    layers: Sequence[Layer], peak: float, bandwidth: Rates, width: int, cores: int
) -> float:
    """The share of :func:`by_layers` in layers whose bytes take longer than their products."""
    weights = sum(layer.weights for layer in layers) * width
    rate = bandwidth.at(weights / cores)
    slow = 0.0
    for layer in layers:
        bytes_take = layer.weights * width / rate + moving(layer, bandwidth, width, cores)
        if bytes_take > layer.macs / peak:
            slow += bytes_take
    return slow / by_layers(layers, peak, bandwidth, width, cores)
