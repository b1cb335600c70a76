"""Embeddings of many image files, each computed once, the way the service computes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from service.images.decoding import decode
from service.settings import Settings


class Features:
    """Embeddings of files by path."""

    def __init__(self, backbone: Backbone, settings: Settings, console: Console) -> None:
        self._backbone = backbone
        self._settings = settings
        self._console = console
        self._rows: dict[Path, ImageEmbeddings] = {}

    def compute(self, paths: Iterable[Path]) -> None:
        """Embed the files that are new, with a progress bar.

        Raises:
            NotAnImage, BrokenImage, ImageTooLarge: A file cannot be read; names the file.
        """
        new = [path for path in dict.fromkeys(paths) if path not in self._rows]
        step = self._settings.max_batch
        batches = [new[i : i + step] for i in range(0, len(new), step)]
        with ThreadPoolExecutor(self._settings.decode_threads) as threads:
            for batch in track(batches, f"embedding {len(new)} images", console=self._console):
                pixels = torch.stack(list(threads.map(self._pixels, batch)))
                rows = self._backbone.encode_images(pixels)
                for i, path in enumerate(batch):
                    self._rows[path] = rows[i : i + 1]

    def of(self, paths: Sequence[Path]) -> ImageEmbeddings:
        """Both embeddings of the files, which were computed before, in this order."""
        return ImageEmbeddings.concatenate([self._rows[path] for path in paths])

    def _pixels(self, path: Path) -> Tensor:
        image = decode(path.read_bytes(), self._settings.max_image_pixels, str(path))
        return self._backbone.preprocess(image.pixels)
