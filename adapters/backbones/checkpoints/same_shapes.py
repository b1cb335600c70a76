"""Whether a state dict is of a model: every name and every shape, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from adapters.backbone_errors import BackboneError

_SHOWN = 3


def check_shapes(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """A state dict has the tensors of a model and no others.

    Scalars may have one dimension: ``logit_scale`` has in some checkpoints.

    Args:
        model: May be on PyTorch's ``meta`` device, where it takes no memory.
        state: By open_clip's names.

    Raises:
        BackboneError: It has not; the message names the first that differ, and what that means.
    """
    expected = {name: tuple(each.shape) for name, each in model.state_dict().items()}
    found = {name: tuple(each.shape) for name, each in state.items()}
    missing = [name for name in expected if name not in found]
    surplus = [name for name in found if name not in expected]
    other = [
        f"{name} is {found[name]}, {shape} is expected"
        for name, shape in expected.items()
        if name in found and not _same(found[name], shape)
    ]
    if not (missing or surplus or other):
        return
    told = [
        _told("missing", missing),
        _told("unknown", surplus),
        _told("of another shape", other, "; "),
    ]
    raise BackboneError(
        f"its tensors are not those of the configuration{_meaning(expected, found)}: "
        f"{'; '.join(filter(None, told))}"
    )


def _same(found: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return found == expected or (found in ((), (1,)) and expected in ((), (1,)))


def _told(what: str, names: list[str], between: str = ", ") -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{what}: {between.join(names[:_SHOWN])}{more}"


_MEANINGS = {
    "visual.conv1.weight": (-1, "another patch size"),
    "visual.trunk.patch_embed.proj.weight": (-1, "another patch size"),
    "visual.positional_embedding": (0, "another input size"),
    "visual.attnpool.positional_embedding": (0, "another input size"),
    "visual.trunk.pos_embed": (1, "another input size"),
    "positional_embedding": (0, "another context length of the tokenizer"),
    "text.positional_embedding": (0, "another context length of the tokenizer"),
    "token_embedding.weight": (0, "another vocabulary of the tokenizer"),
    "text.token_embedding.weight": (0, "another vocabulary of the tokenizer"),
}
"""What it means that a tensor has another size in a dimension."""


def _meaning(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str:
    told = [
        meaning
        for name, (dimension, meaning) in _MEANINGS.items()
        if name in expected
        and len(found.get(name, ())) == len(expected[name])
        and found[name][dimension] != expected[name][dimension]
    ]
    return f" ({', '.join(dict.fromkeys(told))})" if told else ""
