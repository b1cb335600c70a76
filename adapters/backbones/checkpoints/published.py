"""Files that were published with a digest: which weights a file is, told by its content alone."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import open_clip

_OPENAI = re.compile(r"openaipublic\.azureedge\.net/clip/models/([0-9a-f]{64})/")
_RELEASED = re.compile(r"-([0-9a-f]{8})\.pth?$")


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that open_clip knows by a tag.

    Attributes:
        model: open_clip's name of the model.
        tag: Its name of the weights.
        quick_gelu: Whether they were trained with QuickGELU.
        preprocess_cfg: How pictures are prepared for them, as open_clip writes it.
    """

    model: str
    tag: str
    quick_gelu: bool
    preprocess_cfg: dict[str, Any]


def published(path: Path) -> Published | None:
    """Which published weights a file is; None for any other.

    Digests are those that open_clip fetches by: OpenAI's whole SHA-256 (the part of its addresses),
    eight digits of it for open_clip's own releases.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    known = _by_digest()
    return known.get(digest) or known.get(digest[:8])


def tagged(model: str) -> list[Published]:
    """All weights that open_clip has for a model."""
    return [
        _of(model, tag, open_clip.get_pretrained_cfg(model, tag))
        for tag in open_clip.list_pretrained_tags_by_model(model)
    ]


@cache
def _by_digest() -> dict[str, Published]:
    found = {}
    for model, tag in open_clip.list_pretrained():
        config = open_clip.get_pretrained_cfg(model, tag)
        address = config.get("url", "")
        match = _OPENAI.search(address) or _RELEASED.search(address)
        if match and match[1] not in found:
            found[match[1]] = _of(model, tag, config)
    return found


def _of(model: str, tag: str, config: dict[str, Any]) -> Published:
    pixels = ("mean", "std", "interpolation", "resize_mode")
    own = open_clip.get_model_config(model)
    return Published(
        model=model,
        tag=tag,
        quick_gelu=bool(config.get("quick_gelu") or own.get("quick_gelu")),
        preprocess_cfg={
            each: list(config[each]) if each in ("mean", "std") else config[each] for each in pixels
        },
    )
