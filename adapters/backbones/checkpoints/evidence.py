"""What says how weights were trained: their digest, their layout, what lies beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from open_clip.factory import _find_checkpoint_in_dir

from adapters.backbone_errors import BackboneError
from adapters.backbones.checkpoints.json_files import read_json
from adapters.backbones.checkpoints.openai_layout import OPENAI_PIXELS, told_beside
from adapters.backbones.checkpoints.published import Published, tagged
from adapters.backbones.checkpoints.state_dict import Checkpoint
from adapters.backbones.folder_files import CONFIG_NAME


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file, what lies beside it and whoever names it say of its training.

    Attributes:
        quick_gelu: Whether it was with QuickGELU; None where nothing says so.
        preprocess_cfg: How pictures were prepared; None where nothing says so.
        by: What says so.
    """

    quick_gelu: bool | None = None
    preprocess_cfg: dict[str, Any] | None = None
    by: str = ""


def activation(quick_gelu: bool) -> str:
    """The name of an activation."""
    return "QuickGELU" if quick_gelu else "GELU"


def gathered(
    checkpoint: Checkpoint,
    known: Published | None,
    like: Published | None,
    quick_gelu: bool | None,
) -> Evidence:
    """All that is known of a file; what it is itself counts before what is said of it.

    Args:
        checkpoint: The file.
        known: Which published weights it is.
        like: Which published weights its owner says it was trained like.
        quick_gelu: Which activation its owner says it has.

    Raises:
        BackboneError: Two of them contradict each other.
    """
    found = [
        _of(known, "its digest is that of"),
        _by_classes(checkpoint),
        _by_layout(checkpoint),
        _of(like, "it is said to be like"),
        Evidence(quick_gelu, by="" if quick_gelu is None else "it is said to be"),
    ]
    if not any(each.by for each in found):
        found.append(_beside(checkpoint.path))
    telling = [each for each in found if each.quick_gelu is not None]
    first = telling[0] if telling else Evidence()
    for each in telling[1:]:
        if each.quick_gelu != first.quick_gelu:
            raise BackboneError(
                f"{checkpoint.path} was trained with {activation(bool(first.quick_gelu))} "
                f"({first.by}), and not with {activation(bool(each.quick_gelu))} ({each.by})"
            )
    pixels = [each.preprocess_cfg for each in found if each.preprocess_cfg is not None]
    return Evidence(first.quick_gelu, pixels[0] if pixels else None, first.by)


def weights_like(model: str | None, tag: str | None) -> Published | None:
    """The published weights of a model that its owner names by their tag.

    Raises:
        BackboneError: There are none.
    """
    if tag is None:
        return None
    tags = {each.tag: each for each in tagged(model)} if model else {}
    if tag not in tags:
        raise BackboneError(
            f"open_clip has no weights {tag!r} for {model}; it has {', '.join(tags) or 'none'}"
        )
    return tags[tag]


def find_checkpoint(folder: Path) -> Path | None:
    """The file of weights that open_clip takes from a folder."""
    found = _find_checkpoint_in_dir(folder)
    return None if found is None else Path(found)


def _of(weights: Published | None, by: str) -> Evidence:
    if weights is None:
        return Evidence()
    told = f"{by} {weights.model}/{weights.tag}"
    return Evidence(weights.quick_gelu, weights.preprocess_cfg, told)


def _by_classes(checkpoint: Checkpoint) -> Evidence:
    if checkpoint.quick_gelu is None:
        return Evidence()
    return Evidence(checkpoint.quick_gelu, by="the classes in its archive say so")


def _by_layout(checkpoint: Checkpoint) -> Evidence:
    if not told_beside(checkpoint.state):
        return Evidence()
    return Evidence(
        None if checkpoint.scripted else True,
        OPENAI_PIXELS,
        "it holds the input_resolution that only OpenAI's archives hold",
    )


def _beside(path: Path) -> Evidence:
    """What ``open_clip_config.json`` in the same folder says of it."""
    config = path.parent / CONFIG_NAME
    if not config.is_file() or find_checkpoint(path.parent) != path:
        return Evidence()
    told = read_json(config)
    model, pixels = told.get("model_cfg"), told.get("preprocess_cfg")
    if not isinstance(model, dict) or not isinstance(pixels, dict):
        return Evidence()
    filled = {name: pixels.get(name, usual) for name, usual in OPENAI_PIXELS.items()}
    return Evidence(bool(model.get("quick_gelu", False)), filled, f"{config} says so")
