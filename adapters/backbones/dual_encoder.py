"""A CLIP dual encoder with what belongs to it, before it is put on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

Preprocess = Callable[[Image.Image], Tensor]
"""From an RGB image to (3, H, W) float32 normalised pixels."""
Tokenizer = Callable[[Sequence[str]], Tensor]
"""From n texts to (n, L) int64 tokens."""

PHOTO = "a photo of a {}."


@dataclass(frozen=True, slots=True, kw_only=True)
class DualEncoder:
    """A dual encoder (CLIP, Radford et al., ICML 2021): one tower for images, one for texts.

    What tells one kind of backbone from another stands here, so that nobody asks for its name.

    Attributes:
        name: As the user chose it, for instance ``lite`` or ``ViT-B-16/openai``.
        model: An open_clip model, on the CPU.
        preprocess: Its preprocessing, which ends in ``ToTensor`` and ``Normalize``.
        tokenizer: Its tokenizer.
        tokens: What makes the same tokenizer without open_clip, if anything does
            (:func:`adapters.kept.tokens.tokenizer_of`).
        model_cfg: open_clip's configuration of it, where it was read from files.
        templates: Prompt templates that suit it.
        adapter: The file of the bottleneck adapter that comes with it, if one does.
        pools_before_projection: Whether images are compared by what its ``trunk`` pools, before
            its ``head`` projects that, and not by the projected embedding.
        fine_tunable: Whether changed towers and projections could be loaded again.
        promptable: Whether its towers may take learned prompts.
    """

    name: str
    model: nn.Module
    preprocess: Preprocess
    tokenizer: Tokenizer
    tokens: Mapping[str, Any] | None = None
    model_cfg: Mapping[str, Any] | None = None
    templates: tuple[str, ...] = (PHOTO,)
    adapter: Path | None = None
    pools_before_projection: bool = False
    fine_tunable: bool = True
    promptable: bool = True

    @property
    def visual(self) -> nn.Module:
        """The image tower: what adapters are attached to and fingerprints are taken of."""
        return self.model.get_submodule("visual")

    @property
    def corrected_tower(self) -> nn.Module:
        """The part of the image tower whose output becomes the corrected embedding."""
        return self.visual.get_submodule("trunk") if self.pools_before_projection else self.visual

    @property
    def projection(self) -> nn.Module | None:
        """What turns that output into the frozen embedding; None: it is of the same kind."""
        return self.visual.get_submodule("head") if self.pools_before_projection else None
