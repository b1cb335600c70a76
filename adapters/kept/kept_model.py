"""A kept model: a folder with both towers compiled and a description of the rest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from adapters.backbones.bounded import ShorterSide
from adapters.backbones.transforms import Transforms
from adapters.file_checksums import check_files, write_checksums

IMAGE, TEXT = "image.xml", "text.xml"
"""Names of the towers, as OpenVINO's files; their weights lie beside them."""
PROBE_TEXTS = ("a photo of a dog.", "sea lake", "Ägypten, 2024: a rusty 3-wheeled bicycle")
"""Texts whose embeddings are kept, to be compared with."""

_DESCRIPTION, _EXPECTED, _CHECKSUMS = "model.json", "expected.safetensors", "model.crc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a backbone is besides its towers.

    Attributes:
        name: As the user chose it.
        templates: Prompt templates that suit it.
        correction: Its name.
        joint: Whether the corrected embedding is comparable with texts.
        fingerprint: Of the model in the default recipe.
        logit_scale: Factor of the cosine similarities.
        side: Pixels that the shorter side of a picture is resized to.
        height: Pixels, of the centre that is cut out.
        width: Pixels of the same.
        interpolation: How pictures are resized: a name of Pillow's.
        mean: Of each channel, that pixels in 0..1 are normalised with.
        std: Of each channel.
        tokens: See :func:`adapters.kept.tokens.tokenizer_of`.
    """

    name: str
    templates: tuple[str, ...]
    correction: str
    joint: bool
    fingerprint: str
    logit_scale: float
    side: int
    height: int
    width: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tokens: Mapping[str, Any]

    @property
    def transforms(self) -> Transforms:
        """Its preprocessing."""
        interpolation = Image.Resampling[self.interpolation]
        geometry = ShorterSide(self.side, self.width, self.height, interpolation)
        return Transforms.of(geometry, self.mean, self.std)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptModel:
    """A kept model.

    Attributes:
        folder: Where its towers are.
        about: What else it is.
        frozen: (8, d) embeddings of the probes by PyTorch (:mod:`adapters.engines.agreement`).
        corrected: (8, d') the same.
        texts: (n, d) embeddings of :data:`PROBE_TEXTS` by PyTorch.
    """

    folder: Path
    about: Description
    frozen: Tensor
    corrected: Tensor
    texts: Tensor

    @classmethod
    def read(cls, folder: Path) -> KeptModel:
        """Read one.

        Raises:
            FileNotFoundError: There is none.
            Exception: It is damaged, or none of this version.
        """
        check_files(folder / _CHECKSUMS, (folder / _DESCRIPTION, folder / _EXPECTED))
        described = json.loads((folder / _DESCRIPTION).read_text("utf-8"))
        for field in ("templates", "mean", "std"):
            described[field] = tuple(described[field])
        expected = load_file(folder / _EXPECTED)
        return cls(folder=folder, about=Description(**described), **expected)

    def write(self, towers: Mapping[str, Callable[[Path], None]]) -> None:
        """Write it whole; who reads the folder meanwhile finds nothing, or what was there before.

        Args:
            towers: By their names, what writes them to a path.

        Raises:
            OSError: It cannot be written.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(mkdtemp(dir=self.folder.parent, prefix="part-"))
        try:
            for name, write in towers.items():
                write(part / name)
            expected = {"frozen": self.frozen, "corrected": self.corrected, "texts": self.texts}
            save_file(
                {name: rows.contiguous() for name, rows in expected.items()}, part / _EXPECTED
            )
            (part / _DESCRIPTION).write_text(json.dumps(asdict(self.about)), "utf-8")
            write_checksums(part / _CHECKSUMS, (part / _DESCRIPTION, part / _EXPECTED))
            discard(self.folder)
            try:
                os.rename(part, self.folder)
            except OSError:
                # Another process may have been first; its model is as good.
                if not (self.folder / _DESCRIPTION).is_file():
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)


def discard(folder: Path) -> None:
    """Remove a kept model; who has it open is not disturbed."""
    if folder.exists():
        aside = Path(mkdtemp(dir=folder.parent, prefix="old-"))
        os.replace(folder, aside)
        shutil.rmtree(aside, ignore_errors=True)
