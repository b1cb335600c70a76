"""Feature extraction: embeddings of image files, each computed once, as the service does it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from adapters.backbones import Backbone
from adapters.backbones.support_views import averaged
from adapters.embeddings import ImageEmbeddings
from service.datasets.dataset import DatasetError
from service.datasets.feature_cache import FeatureCache
from service.images.decoding import decode
from service.problems import BrokenImage, ImageTooLarge, NotAnImage
from service.progress_bar import progress_bar
from service.settings import Settings


class Features:
    """Features of image files: both embeddings by path, kept by content.

    A copy of a file is not embedded again.

    Attributes:
        embedded: How many distinct images went through the encoder.
        reused: How many were found in the cache.

    Args:
        backbone: What embeds them.
        settings: How files are read.
        console: For progress.
        cache: Where features are kept, of as many views; None: nowhere.
        views: Support views of each image, which are averaged; 1: the image itself.
    """

    def __init__(
        self,
        backbone: Backbone,
        settings: Settings,
        console: Console,
        cache: FeatureCache | None = None,
        *,
        views: int = 1,
    ) -> None:
        self._views = views
        self.embedded = 0
        self.reused = 0
        self._backbone = backbone
        self._settings = settings
        self._console = console
        self._cache = cache
        self._digests: dict[Path, str] = {}
        self._rows: dict[str, ImageEmbeddings] = {}

    def compute(self, paths: Iterable[Path]) -> None:
        """Read the embeddings of the files from the cache and compute the others.

        Raises:
            DatasetError: A file cannot be read.
            NotAnImage, BrokenImage, ImageTooLarge: A file is no image to embed; names the file.
        """
        files = [path for path in dict.fromkeys(paths) if path not in self._digests]
        with ThreadPoolExecutor(self._settings.decode_threads) as threads:
            for path, digest in zip(files, threads.map(_sha256, files), strict=True):
                self._digests[path] = digest
            self._reuse(files)
            # One file for each content that is still missing.
            new = {
                self._digests[path]: path for path in files if self._digests[path] not in self._rows
            }
            if new:
                self._embed(new, threads)
        self._warn()

    def of(self, paths: Sequence[Path]) -> ImageEmbeddings:
        """Both embeddings of the files, which were computed before, in this order."""
        return ImageEmbeddings.concatenate([self._rows[self._digests[path]] for path in paths])

    def _reuse(self, files: Sequence[Path]) -> None:
        if self._cache is None:
            return
        for digest in {self._digests[path] for path in files} - self._rows.keys():
            if (row := self._cache.load(digest)) is not None:
                self._rows[digest] = row
                self.reused += 1

    def _embed(self, new: dict[str, Path], threads: ThreadPoolExecutor) -> None:
        step = max(1, (self._settings.max_batch or self._backbone.batch) // self._views)
        digests = list(new)
        with progress_bar(self._console) as bar:
            task = bar.add_task("embedding images", total=len(digests))
            for start in range(0, len(digests), step):
                batch = digests[start : start + step]
                files = (new[digest] for digest in batch)
                pixels = [
                    view for views in threads.map(self._pixels, files, batch) for view in views
                ]
                rows = self._backbone.encode_images(torch.stack(pixels))
                for i, digest in enumerate(batch):
                    row = self._row(rows[i * self._views : (i + 1) * self._views])
                    self._rows[digest] = row
                    if self._cache is not None:
                        self._cache.store(digest, row)
                self.embedded += len(batch)
                bar.advance(task, len(batch))

    def _warn(self) -> None:
        if self._cache is None:
            return
        if spoiled := self._cache.unreadable:
            self._console.print(
                f"warning: {len(spoiled)} cached features cannot be used and were made anew, "
                f"the first of them {spoiled[0]}",
                style="yellow",
                highlight=False,
            )
        if error := self._cache.unwritten:
            self._console.print(
                f"warning: features are not kept for the next run: {error}. Name another folder "
                "with --cache, or switch this off with --no-cache.",
                style="yellow",
                highlight=False,
            )

    def _row(self, views: ImageEmbeddings) -> ImageEmbeddings:
        """Of one image; a copy, so that the files hold one row and not its whole batch."""
        if self._views > 1:
            return averaged(views)
        return ImageEmbeddings(views.frozen.clone(), views.corrected.clone())

    def _pixels(self, path: Path, sha256: str) -> list[Tensor]:
        try:
            image = decode(
                path.read_bytes(),
                self._settings.max_image_pixels,
                str(path),
                side=self._side(),
            )
        except (NotAnImage, BrokenImage, ImageTooLarge) as problem:
            raise type(problem)(f"{problem.detail} Replace or remove this file.") from problem
        return self._shown(image.pixels, sha256)

    def _side(self) -> int | None:
        """Pixels of the shorter side that a picture is decoded to at least; None: all it has."""
        return self._backbone.image_size

    def _shown(self, image: Image.Image, sha256: str) -> list[Tensor]:
        """What is shown to the encoder of a picture, as many as there are views."""
        return self._backbone.preprocess_views(image, self._views, sha256)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}); make it readable or remove it"
        ) from error
