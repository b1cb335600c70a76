"""Modules of a TorchScript archive: their tensors by name, and which activation they have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.backbone_errors import BackboneError
from adapters.backbones.checkpoints.stored_tensor import StoredTensor
from adapters.backbones.checkpoints.tensor_pickle import ScriptObject

_DEEPEST = 32
_MOST = 100_000
_ACTIVATIONS = {"QuickGELU": True, "GELU": False}
"""Classes of what a block's ``mlp.gelu`` may be: whether it is QuickGELU."""


def tensors_of(root: Any) -> dict[str, StoredTensor]:
    """Tensors of a module and those in it, named as its ``state_dict`` names them.

    Masks of attention are no weights: whoever builds the model makes them.

    Raises:
        BackboneError: It is no module, or nested more deeply than any model.
    """
    return {
        name: each
        for name, each in _attributes(root)
        if isinstance(each, StoredTensor) and not name.endswith("attn_mask")
    }


def activation_of(root: Any) -> bool | None:
    """Whether the transformers of a CLIP compute QuickGELU; None where its classes do not tell.

    OpenAI's own module is ``x * sigmoid(1.702 * x)`` in a class of this name; an archive keeps the
    names of classes, so its code need not be looked at.

    Raises:
        BackboneError: Some of them do and others do not.
    """
    found = {
        _ACTIVATIONS.get(each.kind)
        for name, each in _attributes(root)
        if isinstance(each, ScriptObject) and name.endswith("mlp.gelu")
    }
    if len(found) > 1:
        raise BackboneError("its blocks have different activations")
    return found.pop() if found else None


def _attributes(root: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(root, ScriptObject):
        raise BackboneError("it is an archive of TorchScript, and none of a module")
    waiting = [("", root, 0)]
    count = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        for name, each in module.attributes.items():
            count += 1
            if count > _MOST or depth > _DEEPEST:
                raise BackboneError("its modules are nested more deeply than those of any model")
            yield f"{prefix}{name}", each
            if isinstance(each, ScriptObject):
                waiting.append((f"{prefix}{name}.", each, depth + 1))
