"""How images and texts lie to each other, measured on pairs that were held out of fine-tuning."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from accelerate import PartialState

from adapters.backbones import Backbone, DualEncoder
from adapters.corrections import Uncorrected
from adapters.measures.alignment import alignment, relative_alignment
from adapters.measures.modality_gap import modality_gap
from adapters.measures.uniformity import uniformity
from adapters.training.method import Trained
from service.training.image_examples import ReadImage
from service.training.pair_examples import read_image
from service.training.text_pairs import Pair

_HELD_OUT_SHARE = 0.1
_MOST_HELD_OUT = 1000
_BATCH = 32


def hold_out(pairs: Sequence[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into those to learn from and those to measure on.

    A tenth of the images is held out with all of their texts, a thousand images at most.

    Args:
        pairs: In any order; the split depends on it.
        seed: Decides the draw.

    Returns:
        Pairs to learn from, and one pair for each held-out image.
    """
    images = list(dict.fromkeys(pair.image for pair in pairs))
    count = min(_MOST_HELD_OUT, round(_HELD_OUT_SHARE * len(images)))
    held_out = set(random.Random(seed).sample(images, count))  # noqa: S311 - a draw, no secret
    first = {pair.image: pair for pair in reversed(pairs) if pair.image in held_out}
    return [pair for pair in pairs if pair.image not in held_out], list(first.values())


def measure(backbone: Backbone, pairs: Sequence[Pair], read: ReadImage) -> dict[str, float] | None:
    """Return alignment, uniformity and modality gap of pairs.

    Args:
        backbone: Embeds them.
        pairs: Those whose image cannot be read are left out.
        read: Makes pictures of image files.

    Returns:
        The measures of :mod:`adapters.measures` by name, and the number of pairs; None for
        fewer than two.
    """
    images, texts = [], []
    for start in range(0, len(pairs), _BATCH):
        block = [(pair.text, read_image(pair, read)) for pair in pairs[start : start + _BATCH]]
        pixels = [backbone.preprocess(image) for _, image in block if image is not None]
        if pixels:
            images.append(backbone.encode_images(torch.stack(pixels)).frozen)
        texts += [text for text, image in block if image is not None]
    if len(texts) < 2:
        return None
    seen, named = torch.cat(images), backbone.encode_texts(texts)
    own = torch.arange(len(seen))
    return {
        "pairs": len(seen),
        "alignment": alignment(seen, named, own),
        "relative_alignment": relative_alignment(seen, named, own),
        "uniformity": uniformity(torch.cat([seen, named])),
        "modality_gap": modality_gap(seen, named),
    }


class HeldOutPairs:
    """Measures held-out pairs before and after a run (a `Measurement`).

    Args:
        pairs: One for each held-out image.
        read: Makes pictures of image files.
        device: ``cpu`` to stay off a GPU; None takes what accelerate finds.
    """

    def __init__(self, pairs: Sequence[Pair], read: ReadImage, device: str | None) -> None:
        self._pairs, self._read, self._device = pairs, read, device
        self._backbone: Backbone | None = None
        self._before: dict[str, float] | None = None

    def prepare(self, encoder: DualEncoder) -> None:
        """Take the model, before anything of it is made to learn."""
        device = PartialState(cpu=self._device == "cpu").device
        self._backbone = Backbone(encoder, Uncorrected(), device=device)

    def before(self) -> None:
        """Measure the model as it came."""
        self._before = self._measured()

    def after(self, _trained: Trained) -> dict[str, Any]:
        """Measure the model as it has become."""
        return {"held_out": {"before": self._before, "after": self._measured()}}

    def _measured(self) -> dict[str, float] | None:
        if self._backbone is None:
            raise RuntimeError("nothing is measured before it is prepared")
        return measure(self._backbone, self._pairs, self._read)
