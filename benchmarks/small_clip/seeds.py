"""All methods on the small CLIP of one seed, which decides split, pretraining and training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from adapters.training.methods.comma.config import CommaTerms
from adapters.training.methods.imo.styles import pencil
from benchmarks.small_clip import comma, isoclip, mixup, overlap_adapter
from benchmarks.small_clip.clip import images, new, texts
from benchmarks.small_clip.data import Pictures, halves, read
from benchmarks.small_clip.pretraining import pretrained

Part = dict[str, list[float]]
"""Values by the name of the row: the last is the method's, the one before what it is against."""
COLUMNS = {
    "zero-shot": ("chance", "small CLIP"),
    "IMO adapter": ("frozen", "adapted"),
    "IsoCLIP": ("frozen", "corrected"),
    "m²-Mix": ("before", "CLIP loss alone", "with m²-Mix"),
    "COMMA": ("hand-written prompt", "trained prompts"),
    "COMMA, generators fixed": ("hand-written prompt", "trained prompts"),
}
"""What is measured, and what the columns are."""


class Measured:
    """The pictures, as they are and drawn in pencil, and what is measured with them.

    Args:
        folder: Of CLASS/IMAGE files.
        models: Folder in which small CLIPs are kept and found again, if any.
    """

    def __init__(self, folder: Path, models: Path | None) -> None:
        self.pictures, self.drawn = read(folder), read(folder, pencil)
        self.models = models

    def of(self, seed: int) -> dict[str, Part]:
        """All figures of a seed, by what is measured."""
        learning, other = halves(self.pictures, seed)
        drawn = halves(self.drawn, seed)
        model = self._small_clip(learning, seed)
        classes = learning.labels.unique().tolist()
        some, rest = classes[::2], classes[1::2]
        unseen = other.of_classes(rest)
        return {
            "zero-shot": _zero_shot(model, other),
            "IMO adapter": overlap_adapter.measure(model, learning.of_classes(some), unseen, seed),
            "IsoCLIP": isoclip.measure(model, unseen),
            "m²-Mix": mixup.measure(model, learning, other, seed),
            "COMMA": comma.measure(model, *drawn, seed),
            "COMMA, generators fixed": comma.measure(model, *drawn, seed, CommaTerms("fixed")),
        }

    def _small_clip(self, learning: Pictures, seed: int) -> Any:
        if self.models is None:
            return pretrained(learning, seed)
        path = self.models / f"seed-{seed}.safetensors"
        if path.exists():
            model = new(seed)
            model.load_state_dict(load_file(path))
            return model
        model = pretrained(learning, seed)
        self.models.mkdir(parents=True, exist_ok=True)
        save_file(model.state_dict(), path)
        return model


def _zero_shot(model: Any, pictures: Pictures) -> Part:
    answered = (images(model, pictures.centre()) @ texts(model, pictures.names).T).argmax(dim=1)
    right = (answered == pictures.labels).float().mean()
    most = torch.bincount(pictures.labels).max() / len(pictures.labels)
    return {"accuracy in %, seen classes, other images": [100 * float(most), 100 * float(right)]}
