"""Large photos decoded at a fraction of their size against decoding them whole.

    python -m benchmarks.large_photos FOLDER...

Each FOLDER holds train/CLASS/IMAGE and test/CLASS/IMAGE. Classifiers are fitted once on plain
training images. Queries are test images, scaled up with Lanczos to `--megapixels` and written as
JPEG of quality 90 (`--format PNG` for PNG); `--grain` adds noise as of a sensor, which makes the
files as costly to unpack as photographs. Every query is decoded whole and at a fraction after one
another, each time resized to the encoder's input; the table compares the time in one thread, the
embeddings and the answers.

`--left` sets how many sides of the encoder's input are left at least. The constant was chosen
with it on generic photos (`--split train` takes queries from the images not used for support).
"""

from __future__ import annotations

import argparse
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.nn.functional import cosine_similarity

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.loading import load_backbone
from benchmarks.published import OUT, Row, publish
from service.images import decoding

NO_LIMIT = 10**9
METHODS = ("tip-adapter++", "auto")
WAYS = ("whole", "fraction")


@dataclass
class Compared:
    """What was found of the queries of one set, by way of decoding."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(WAYS, 0.0))
    rows: dict[str, list[ImageEmbeddings]] = field(
        default_factory=lambda: {way: [] for way in WAYS}
    )
    truth: list[int] = field(default_factory=list)


def files_of(folder: Path, label: str) -> list[Path]:
    """Images of a class, in a fixed order that means nothing."""
    files = sorted((folder / label).iterdir()) if (folder / label).is_dir() else []
    random.Random(label).shuffle(files)
    return files


def pixels_of(backbone: Backbone, content: bytes, *, whole: bool) -> Tensor:
    """What the service does with a file, or did before it decoded at a fraction."""
    side = None if whole else backbone.image_size
    return backbone.preprocess(decoding.decode(content, NO_LIMIT, side=side).pixels)


def classifiers(backbone: Backbone, support: dict[str, list[Path]]) -> dict[str, FewShotClassifier]:
    """Classifiers of the support images as they are."""
    paths = [path for files in support.values() for path in files]
    blocks = []
    for begin in track(range(0, len(paths), 32), "embedding support"):
        some = [pixels_of(backbone, p.read_bytes(), whole=True) for p in paths[begin : begin + 32]]
        blocks.append(backbone.encode_images(torch.stack(some)))
    columns = [column for column, files in enumerate(support.values()) for _ in files]
    known = SupportSet(
        torch.arange(len(paths)), torch.tensor(columns), ImageEmbeddings.concatenate(blocks)
    )
    classes = ClassSet(torch.arange(len(support)), backbone.encode_classes(list(support)))
    return {
        method: FewShotClassifier(method, backbone.logit_scale).fit(classes, known)
        for method in METHODS
    }


def large(path: Path, megapixels: float, grain: float, kind: str) -> bytes:
    """The image scaled up and written to a file."""
    image = Image.open(path).convert("RGB")
    factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    size = (round(image.width * factor), round(image.height * factor))
    image = image.resize(size, Image.Resampling.LANCZOS)
    if grain:
        chance = np.random.default_rng(0)
        noise = chance.normal(0, grain, (image.height, image.width, 1)).astype(np.float32)
        image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=90)
    return buffer.getvalue()


def compare(
    backbone: Backbone, queries: list[tuple[Path, int]], written: Callable[[Path], bytes]
) -> Compared:
    """Decode every query both ways, and embed both."""
    found = Compared()
    for path, column in track(queries, "queries"):
        content = written(path)
        both = []
        for way in WAYS:
            begin = perf_counter()
            both.append(pixels_of(backbone, content, whole=way == "whole"))
            found.seconds[way] += perf_counter() - begin
        rows = backbone.encode_images(torch.stack(both))
        for i, way in enumerate(WAYS):
            found.rows[way].append(rows[i : i + 1])
        found.truth.append(column)
    return found


def told(name: str, parts: list[tuple[Compared, dict[str, FewShotClassifier]]]) -> Row:
    """One row of the table: what was found of some sets together."""
    seconds = {way: sum(found.seconds[way] for found, _ in parts) for way in WAYS}
    n = sum(len(found.truth) for found, _ in parts)
    cosines: list[Tensor] = []
    agree = dict.fromkeys(METHODS, 0)
    right = dict.fromkeys(product(METHODS, WAYS), 0)
    for found, fitted in parts:
        rows = {way: ImageEmbeddings.concatenate(found.rows[way]) for way in WAYS}
        cosines += [
            cosine_similarity(rows["whole"].frozen, rows["fraction"].frozen),
            cosine_similarity(rows["whole"].corrected, rows["fraction"].corrected),
        ]
        truth = torch.tensor(found.truth)
        for method, classifier in fitted.items():
            first = {
                way: classifier.answer(rows[way], 0).probabilities.argmax(dim=1) for way in WAYS
            }
            agree[method] += int((first["whole"] == first["fraction"]).sum())
            for way in WAYS:
                right[method, way] += int((first[way] == truth).sum())
    cosine = torch.cat(cosines)
    row: dict[str, float | int | str] = {
        "set": name,
        "queries": n,
        "whole, ms": 1000 * seconds["whole"] / n,
        "fraction, ms": 1000 * seconds["fraction"] / n,
        "times faster": seconds["whole"] / seconds["fraction"],
        "cosine": f"{cosine.mean().item():.4f}",
        "least": f"{cosine.min().item():.3f}",
    }
    for method in METHODS:
        row[f"{method}: agree %"] = f"{100 * agree[method] / n:.1f}"
        whole, fraction = (f"{100 * right[method, way] / n:.1f}" for way in WAYS)
        row[f"{method}: right %"] = f"{whole} / {fraction}"
    return row


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--queries", type=int, default=60, help="Of each folder.")
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--grain", type=float, default=0, help="Standard deviation of the noise.")
    parser.add_argument("--format", choices=("JPEG", "PNG"), default="JPEG")
    parser.add_argument("--split", choices=("test", "train"), default="test")
    parser.add_argument("--left", type=float, default=decoding.LEFT)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    decoding.LEFT = arguments.left
    backbone = load_backbone("lite", "cpu")

    def written(path: Path) -> bytes:
        return large(path, arguments.megapixels, arguments.grain, arguments.format)

    parts = []
    for folder in arguments.folders:
        train = folder / "train" if (folder / "train").is_dir() else folder
        labels = sorted(entry.name for entry in train.iterdir() if entry.is_dir())
        support = {label: files_of(train, label)[: arguments.shots] for label in labels}
        rest = {
            label: files_of(folder / "test", label)
            if arguments.split == "test"
            else files_of(train, label)[arguments.shots :]
            for label in labels
        }
        queries = [(path, i) for i, label in enumerate(labels) for path in rest[label]]
        queries = random.Random(0).sample(queries, min(arguments.queries, len(queries)))
        fitted = classifiers(backbone, support)
        parts.append((compare(backbone, queries, written), fitted))
    rows = [told(f.name, [part]) for f, part in zip(arguments.folders, parts, strict=True)]
    rows.append(told("all", parts))
    publish(
        "large_photos",
        f"{arguments.format} of {arguments.megapixels:g} megapixels, grain {arguments.grain:g},"
        f" {arguments.left:g} sides left",
        rows,
        arguments.out,
        about={"settings": {name: str(value) for name, value in vars(arguments).items()}},
    )


if __name__ == "__main__":
    main()
