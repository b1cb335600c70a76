"""Embeddings of image files in a style, such as 32 pixels wide, kept between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import track

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from benchmarks.generic_tasks import BATCH, Style, embedded
from service.datasets.feature_cache import FeatureCache


def kept_features(
    backbone: Backbone, files: Sequence[Path], style: Style, cache: FeatureCache, console: Console
) -> ImageEmbeddings:
    """Both embeddings of the files, from the cache or else computed and kept there.

    Args:
        backbone: What embeds them.
        files: Images.
        style: Changes each before it is embedded; its name is part of the key in the cache.
        cache: Of this backbone.
        console: For progress.
    """
    keys = [
        hashlib.sha256(style.__name__.encode() + b"\n" + file.read_bytes()).hexdigest()
        for file in files
    ]
    rows = {key: row for key in keys if (row := cache.load(key)) is not None}
    missing = {key: file for key, file in zip(keys, files, strict=True) if key not in rows}
    batches = [list(missing.items())[i : i + BATCH] for i in range(0, len(missing), BATCH)]
    for batch in track(batches, "embedding images", console=console, disable=not batches):
        made = embedded(backbone, [style(Image.open(file).convert("RGB")) for _, file in batch])
        for i, (key, _) in enumerate(batch):
            one = made[i : i + 1]
            # A copy, which does not hold its whole batch.
            rows[key] = ImageEmbeddings(one.frozen.clone(), one.corrected.clone())
            cache.store(key, rows[key])
    return ImageEmbeddings.concatenate([rows[key] for key in keys])
