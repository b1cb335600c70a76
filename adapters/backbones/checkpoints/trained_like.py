"""What tensors do not tell: the activation that weights were trained with, and their pixels.

QuickGELU is ``x · σ(1.702 x)`` (Hendrycks & Gimpel, 2016, who give it as an approximation of GELU);
OpenAI's CLIP was trained with it. It has no parameters, so a state dict looks the same with either,
and embeds wrongly with the other one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip

from adapters.backbone_errors import BackboneError
from adapters.backbones.checkpoints.evidence import Evidence, activation
from adapters.backbones.checkpoints.openai_layout import OPENAI_PIXELS
from adapters.backbones.checkpoints.published import Published, tagged

QUICK = "-quickgelu"
"""What open_clip puts after the name of a model whose configuration says QuickGELU."""


@dataclass(frozen=True, slots=True)
class Training:
    """How weights of a model were trained, as far as embedding with them needs it.

    Attributes:
        quick_gelu: The activation.
        preprocess_cfg: How pictures are prepared, as open_clip writes it.
        tags: Names of published weights that were trained so.
    """

    quick_gelu: bool
    preprocess_cfg: dict[str, Any]
    tags: tuple[str, ...] = ()

    @property
    def activation(self) -> str:
        """Its name."""
        return activation(self.quick_gelu)


def trained_like(path: Path, model: str, evidence: Evidence) -> Training:
    """How the weights in a file were trained, where that can be known.

    Args:
        path: Of the file.
        model: open_clip's name of the model that it is said to be of.
        evidence: What is known of it.

    Raises:
        BackboneError: It cannot, or the name says otherwise than the file; the message names what
            to do.
    """
    if model.endswith(QUICK) and evidence.quick_gelu is False:
        raise BackboneError(
            f"{path} was trained with GELU ({evidence.by}), and {model} computes QuickGELU; name "
            f"{model.removesuffix(QUICK)} instead"
        )
    possible = [each for each in _known(model) if _fits(each, evidence)]
    if evidence.preprocess_cfg is not None and evidence.quick_gelu is not None:
        return Training(evidence.quick_gelu, evidence.preprocess_cfg)
    if not possible and evidence.quick_gelu is not None:
        return Training(evidence.quick_gelu, OPENAI_PIXELS)
    if len(possible) == 1:
        return possible[0]
    raise BackboneError(_asked(path, model, possible))


def _known(model: str) -> list[Training]:
    """The ways in which weights of a model are known to be trained."""
    own = bool(open_clip.get_model_config(model).get("quick_gelu", False))
    found = _grouped(tagged(model))
    if not any(each.quick_gelu == own for each in found):
        found.append(Training(own, OPENAI_PIXELS))
    if model.endswith(QUICK):
        return [each for each in found if each.quick_gelu]
    return found


def _grouped(weights: Iterable[Published]) -> list[Training]:
    found: list[Training] = []
    for each in weights:
        for at, known in enumerate(found):
            if (known.quick_gelu, known.preprocess_cfg) == (each.quick_gelu, each.preprocess_cfg):
                found[at] = Training(
                    known.quick_gelu, known.preprocess_cfg, (*known.tags, each.tag)
                )
                break
        else:
            found.append(Training(each.quick_gelu, each.preprocess_cfg, (each.tag,)))
    return found


def _fits(training: Training, evidence: Evidence) -> bool:
    return evidence.quick_gelu in (None, training.quick_gelu) and evidence.preprocess_cfg in (
        None,
        training.preprocess_cfg,
    )


def _asked(path: Path, model: str, possible: list[Training]) -> str:
    ways = []
    for each in possible:
        how = f"--like {each.tags[0]}" if each.tags else f"--activation {each.activation.lower()}"
        others = f", as {', '.join(each.tags[1:4])}" if len(each.tags) > 1 else ""
        ways.append(
            f"  handful convert {path} OUT --model {model} {how}"
            f"  # {each.activation}, {_pixels(each)}{others}"
        )
    return (
        f"weights of {model} were trained in several ways, and {path} does not say in which; with "
        "another one it would embed wrongly. Say it once, with one of\n" + "\n".join(ways) + "\n"
        "and then name --backbone local-dir:OUT"
    )


def _pixels(training: Training) -> str:
    pixels = training.preprocess_cfg
    return f"{pixels['resize_mode']} resizing, mean {pixels['mean'][0]:.2f}"
