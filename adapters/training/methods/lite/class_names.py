"""The names of the ImageNet-1k classes, written as prompts."""

from __future__ import annotations

from collections.abc import Sequence

from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from timm.data import ImageNetInfo

PROMPTS = ("{}", "a photo of a {}.", "a picture of a {}.")
"""Wordings in which every name is learned; the bare name comes first."""


def class_names() -> list[tuple[str, ...]]:
    """Return the names of each of the 1000 classes, in the order of the classifier's rows.

    The first name is the curated one of CLIP's authors, which tells the two kinds of crane
    apart; WordNet's synonyms follow.
    """
    info = ImageNetInfo()
    return [
        tuple(dict.fromkeys([curated, *info.index_to_description(row).split(", ")]))
        for row, curated in enumerate(IMAGENET_CLASSNAMES)
    ]


def prompts(names: Sequence[str]) -> list[str]:
    """Return every name in every wording: the wordings of the first name come first."""
    return [wording.format(name) for name in names for wording in PROMPTS]
