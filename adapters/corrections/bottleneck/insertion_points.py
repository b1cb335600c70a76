"""The insertion points of an adapter: beside the MLP of a ViT block, or a convolutional block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from adapters.backbone_errors import NoInsertionPointError


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """An insertion point: one block, or one layer, that an adapter is parallel to.

    Attributes:
        name: Of the module, within the image tower.
        starts: The first of these modules to run takes in what the adapter reads. In a ViT
            block these are the MLP and its norm: one comes first, depending on the kind of
            block, and its input is x of the residual ``x + MLP(LN(x))``.
        end: To what comes out of this module the adapter's part is added.
        inputs: Channels that are read.
        outputs: Channels that are added to.
        channels_first: Whether features are (n, channels, height, width) maps.
        batch_dim: Which dimension numbers the images.
        pooled: Whether it lies behind the pooling, and reads one vector an image; it is then taken
            only where it is asked for.
    """

    name: str
    starts: tuple[nn.Module, ...]
    end: nn.Module
    inputs: int
    outputs: int
    channels_first: bool = False
    batch_dim: int = 0
    pooled: bool = False


def insertion_points(visual: nn.Module) -> list[InsertionPoint]:
    """List the insertion points of an image tower, from its input to its output.

    Known are open_clip's ``VisionTransformer``, every timm tower made of ViT blocks (ViT, SigLIP,
    EVA, PE), and timm's EfficientNets such as the tower of `lite`.

    Raises:
        NoInsertionPointError: It is none of these.
    """
    if found := [*_transformer(visual), *_efficientnet(visual)]:
        return found
    tower = type(getattr(visual, "trunk", visual)).__name__
    raise NoInsertionPointError(
        f"a bottleneck adapter needs an image tower of ViT blocks (open_clip's VisionTransformer "
        f"or a ViT of timm) or an EfficientNet; {tower} is neither"
    )


def _transformer(visual: nn.Module) -> Iterable[InsertionPoint]:
    # Only the tower's own blocks: a pooling head may hold a block of its own.
    for name, module in visual.named_modules():
        if not name.startswith(("transformer.resblocks.", "trunk.blocks.")):
            continue
        norm = getattr(module, "ln_2", None) or getattr(module, "norm2", None)
        mlp = getattr(module, "mlp", None)
        if norm is None or mlp is None:
            continue
        width = _first_linear(mlp).in_features
        batch_first = (
            getattr(visual.get_submodule("transformer"), "batch_first", True)
            if (name.startswith("transformer."))
            else True
        )
        batch_dim = 0 if batch_first else 1
        yield InsertionPoint(name, (norm, mlp), module, width, width, batch_dim=batch_dim)


def _first_linear(mlp: nn.Module) -> nn.Linear:
    return next(module for module in mlp.modules() if isinstance(module, nn.Linear))


def _efficientnet(visual: nn.Module) -> Iterable[InsertionPoint]:
    trunk = getattr(visual, "trunk", None)
    if trunk is None or not hasattr(trunk, "conv_head"):
        return
    for name, module in trunk.blocks.named_modules():
        # A block that changes the shape has no residual that one could be parallel to.
        if getattr(module, "has_skip", False):
            name, channels = f"trunk.blocks.{name}", module.conv_pw.in_channels
            yield InsertionPoint(name, (module,), module, channels, channels, True)
    head = trunk.conv_head
    inputs, outputs = head.in_channels, head.out_channels
    yield InsertionPoint("trunk.conv_head", (head,), head, inputs, outputs, True)
    # What is pooled goes through the place of a classifier: empty, or open_clip's projection.
    last = trunk.classifier
    width = getattr(last, "out_features", outputs)
    yield InsertionPoint("trunk.classifier", (last,), last, outputs, width, pooled=True)
