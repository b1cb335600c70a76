"""The multiply-adds of a model and the bytes between its layers, counted in its graph."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from openvino import Model

from adapters.engines import Eager, Engine, ImagePass, openvino
from adapters.engines.lean import lean
from adapters.loading import load_backbone
from adapters.recipe import Precision

BYTES: dict[Precision, int] = {"float32": 4, "bfloat16": 2, "int8": 1}
"""Of a number in memory."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that multiplies and adds; all others are counted as fused with one of these.

    Attributes:
        kind: Type of the node.
        macs: Multiply-adds of the whole batch.
        weights: Numbers that are the same for all images.
        read: Numbers of activations that it takes.
        written: Numbers of activations that it gives.
    """

    kind: str
    macs: int
    weights: int
    read: int
    written: int

    @property
    def depthwise(self) -> bool:
        """Whether each channel is convolved by itself, nearly."""
        return self.kind == "GroupConvolution"


def image_tower(backbone: str) -> Model:
    """The graph from pixels to both embeddings as the service would compile it.

    Args:
        backbone: As for the setting ``HANDFUL_BACKBONE``.
    """
    graphs: list[Model] = []

    def keep(
        image_pass: ImagePass,
        device: torch.device,
        size: tuple[int, int],
        model: str,
        precision: Precision,
    ) -> Engine:
        with lean(image_pass):
            graphs.append(openvino.convert(image_pass, *size))
        return Eager.made(image_pass, device, size, model, precision)

    load_backbone(backbone, "cpu", make_engine=keep)
    return graphs[0]


def layers(model: Model, batch: int) -> list[Layer]:
    """Count a graph's layers.

    Args:
        model: With one input of (n, …), whose first side is set to ``batch``.
        batch: Images.
    """
    model.reshape([batch, *list(model.input(0).get_partial_shape())[1:]])
    count = {
        "Convolution": _convolution,
        "GroupConvolution": _convolution,
        "MatMul": _product,
        "ScaledDotProductAttention": _attention,
    }
    return [
        count[node.get_type_name()](node)
        for node in model.get_ordered_ops()
        if node.get_type_name() in count
    ]


def _convolution(node: Any) -> Layer:
    """Each output value takes as many multiply-adds as the kernel has values for its channel."""
    data, kernel = (port.get_source_output() for port in node.inputs())
    if data.get_node().get_type_name() == "Pad":  # nobody has to write zeros into memory
        data = data.get_node().input(0).get_source_output()
    grouped = node.get_type_name() == "GroupConvolution"
    shape = kernel.get_shape()
    of_one = prod(shape) // (shape[0] * shape[1] if grouped else shape[0])
    written = prod(node.output(0).get_shape())
    return Layer(
        node.get_type_name(), written * of_one, prod(shape), prod(data.get_shape()), written
    )


def _product(node: Any) -> Layer:
    """A product of matrices, one of which may be weights."""
    sides = [port.get_source_output() for port in node.inputs()]
    left = sides[0].get_shape()
    transposed = node.get_attributes()["transpose_a"]
    common = left[-2] if transposed and len(left) > 1 else left[-1]
    written = prod(node.output(0).get_shape())
    constant = [_constant(side.get_node()) for side in sides]
    sizes = [prod(side.get_shape()) for side in sides]
    weights = sum(size for size, fixed in zip(sizes, constant, strict=True) if fixed)
    return Layer("MatMul", written * common, weights, sum(sizes) - weights, written)


def _attention(node: Any) -> Layer:
    """Softmax(Q Kᵀ) V: both products."""
    queries, keys, values = (
        port.get_source_output().get_shape() for port in list(node.inputs())[:3]
    )
    pairs = prod(queries[:-1]) * keys[-2]
    read = prod(queries) + prod(keys) + prod(values)
    written = prod(node.output(0).get_shape())
    return Layer(node.get_type_name(), pairs * (queries[-1] + values[-1]), 0, read, written)


def _constant(node: Any) -> bool:
    """Whether a value depends on no image."""
    if node.get_type_name() == "Parameter":
        return False
    if node.get_type_name() == "Constant":
        return True
    return all(_constant(port.get_source_output().get_node()) for port in node.inputs())
