"""Support views: how many, of which area, as one key an image or one a view. On generic images.

    .venv/bin/python -m benchmarks.support_views FOLDER --cache CACHE [--areas 0.5,0.25]
    .venv/bin/python -m benchmarks.support_views FOLDER --cache CACHE --raw

FOLDER holds CLASS/IMAGE files of many classes, such as Caltech-101. Sixteen images of each of 60
classes are support images, twenty others queries, in three tasks of 20 classes; each form of the
images (photos, edges, 32 pixels) counts alike. Crops are embedded once and kept in CACHE.

With ``--raw`` embeddings are averaged before they are normalised, as the authors do, and compared
with the average of unit vectors.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize
from torchmetrics.functional.classification import binary_calibration_error

from adapters.backbones import Backbone
from adapters.backbones.support_views import AREA, averaged, random_crops
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.engines import Eager, ImagePass
from adapters.engines.inference_engine import Engine
from adapters.engines.selection import fastest
from adapters.heads.tip_adapter import VoteParameters
from adapters.loading import load_backbone
from benchmarks.generic_tasks import BATCH, QUERIES, Style, as_it_is, edges, tiny

SHOTS = (1, 2, 4, 8, 16)
CLASSES, TASKS, DRAWS = 20, 3, 3
METHODS = ("auto", "tip-adapter++", "gda++")


STYLES: dict[str, Style] = {"photos": as_it_is, "edges": edges, "32 pixels": tiny}


@dataclass(frozen=True)
class Task:
    """Classes, support images with their views, and queries.

    Attributes:
        texts: (N, d).
        plain: Of the 16 N support images.
        crops: Of the same, by the least area of a crop: 16 N images of so many crops.
        columns: (16 N,) of their classes.
        queries: Other images.
        truth: Of these, the columns.
    """

    texts: Tensor
    plain: ImageEmbeddings
    crops: dict[float, list[ImageEmbeddings]]
    columns: Tensor
    queries: ImageEmbeddings
    truth: Tensor


def read(folder: Path) -> list[tuple[list[Path], list[Path]]]:
    """Support images and queries of the classes of all tasks."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    found = []
    for name in random.Random(0).sample(names, CLASSES * TASKS):
        files = sorted((folder / name).iterdir())
        random.Random(name).shuffle(files)
        found.append((files[:16], files[16 : 16 + QUERIES]))
    return found


def embedded(
    backbone: Backbone, files: list[Path], style: Style, crops: int, area: tuple[float, float]
) -> ImageEmbeddings:
    """Embeddings of the files, or of so many crops of each."""

    def pixels(file: Path) -> list[Tensor]:
        image = style(Image.open(file).convert("RGB"))
        seed = hashlib.sha256(file.read_bytes()).hexdigest()
        views = random_crops(image, crops, seed, backbone.image_size, area) if crops else [image]
        return [backbone.preprocess(view) for view in views]

    step = max(1, BATCH // max(crops, 1))
    with ThreadPoolExecutor(2) as threads:
        blocks = [
            backbone.encode_images(
                torch.stack(
                    [view for of in threads.map(pixels, files[i : i + step]) for view in of]
                )
            )
            for i in track(range(0, len(files), step), f"{crops} crops of {len(files)} images")
        ]
    return ImageEmbeddings.concatenate(blocks)


def kept(
    cache: Path, name: str, backbone: Backbone, files: list[Path], *which: object
) -> ImageEmbeddings:
    """:func:`embedded`, from a file of the cache if it is there."""
    path = cache / f"{name}.npz"
    if not path.exists():
        rows = embedded(backbone, files, *which)  # type: ignore[arg-type]
        np.savez(path, frozen=rows.frozen.numpy(), corrected=rows.corrected.numpy())
    with np.load(path) as rows:
        return ImageEmbeddings(
            torch.from_numpy(rows["frozen"]).float(), torch.from_numpy(rows["corrected"]).float()
        )


def tasks(
    backbone: Backbone, folder: Path, cache: Path, form: str, areas: list[float], crops: int
) -> Iterator[Task]:
    """The tasks of one form of the images."""
    classes = read(folder)
    style = STYLES[form]
    support = [file for files, _ in classes for file in files]
    queries = [file for _, files in classes for file in files]
    prefix = form.replace(" ", "-")
    every = kept(cache, f"{prefix}-queries", backbone, queries, style, 0, AREA)
    plain = kept(cache, f"{prefix}-plain", backbone, support, style, 0, AREA)
    views = {
        least: kept(
            cache, f"{prefix}-{crops}-crops-{least}", backbone, support, style, crops, (least, 1.0)
        )
        for least in areas
    }
    texts = backbone.encode_classes([files[0].parent.name for files, _ in classes])
    counts = [len(files) for _, files in classes]
    for number in range(TASKS):
        chosen = range(number * CLASSES, (number + 1) * CLASSES)
        rows = slice(16 * chosen.start, 16 * chosen.stop)
        asked = slice(sum(counts[: chosen.start]), sum(counts[: chosen.stop]))
        yield Task(
            texts=texts[chosen.start : chosen.stop],
            plain=plain[rows],
            crops={
                least: [found[i * crops : (i + 1) * crops] for i in range(rows.start, rows.stop)]
                for least, found in views.items()
            },
            columns=torch.arange(CLASSES).repeat_interleave(16),
            queries=every[asked],
            truth=torch.repeat_interleave(
                torch.arange(CLASSES), torch.tensor(counts)[list(chosen)]
            ),
        )


def one_key(task: Task, rows: Tensor, area: float, n: int, *, itself: bool) -> ImageEmbeddings:
    """The mean of n views of each image: crops, with or without the image itself."""
    found = []
    for row in rows.tolist():
        views = task.crops[area][row][: n - itself]
        if itself:
            views = ImageEmbeddings.concatenate([task.plain[row : row + 1], views])
        found.append(averaged(views))
    return replace(ImageEmbeddings.concatenate(found), as_queries=task.plain[rows].corrected)


def measure(
    task: Task,
    backbone: Backbone,
    method: str,
    shots: int,
    seed: int,
    how: str,
    area: float,
    n: int,
) -> list[float]:
    """Accuracy, cross-entropy, calibration error of one draw, and what it promises.

    That is: the share of queries called unknown (5 % are asked for), and of those whose class is in
    the prediction set (90 %).
    """
    chance = random.Random(f"{seed}/{shots}")
    places = [chance.sample(range(16), shots) for _ in range(CLASSES)]
    rows = torch.tensor([16 * c + place for c, some in enumerate(places) for place in some])
    classes = ClassSet(torch.arange(CLASSES), task.texts)
    columns = task.columns[rows]

    def support(embeddings: ImageEmbeddings, labels: Tensor) -> SupportSet:
        return SupportSet(torch.arange(len(labels)), labels, embeddings)

    classifier = FewShotClassifier(method, backbone.logit_scale, coverage=0.9)
    if n == 1:
        classifier.fit(classes, support(task.plain[rows], columns))
    elif how != "a key a view":
        means = one_key(task, rows, area, n, itself=how == "image and crops")
        classifier.fit(classes, support(means, columns))
    else:
        # Tuned on the images: leaving one out leaves all its views.
        plain = support(task.plain[rows], columns)
        tuning = classifier.tune(classes, plain.labelled)
        if isinstance(tuning.parameters, VoteParameters):
            parameters = replace(tuning.parameters, shots=float(shots))
            tuning = replace(tuning, parameters=parameters)
        views = [task.plain[rows], *(task.crops[area][row][: n - 1] for row in rows.tolist())]
        labels = torch.cat([columns, columns.repeat_interleave(n - 1)])
        classifier.fit(classes, support(ImageEmbeddings.concatenate(views), labels), tuning)
    with torch.inference_mode():
        given = classifier.answer(task.queries, 0)
    assert given.prediction_sets is not None
    right = given.probabilities.argmax(dim=1) == task.truth
    confidence = given.probabilities.amax(dim=1)
    loss = cross_entropy(given.probabilities.clamp_min(1e-12).log(), task.truth)
    return [
        100 * right.float().mean().item(),
        loss.item(),
        100 * binary_calibration_error(confidence, right.long()).item(),
        100 * (~given.known).float().mean().item(),
        100 * given.prediction_sets.gather(1, task.truth.unsqueeze(1)).float().mean().item(),
    ]


def raw(folder: Path, n: int = 10, images: int = 60) -> tuple[Tensor, Tensor]:
    """Cosines of the averages of raw and of unit embeddings of n views of some images."""
    passes: list[ImagePass] = []

    def eager(image_pass: ImagePass, *rest: Any) -> Engine:
        passes.append(image_pass)
        return Eager.made(image_pass, *rest)

    backbone = load_backbone("lite", "cpu", make_engine=eager)
    [image_pass] = passes
    found: list[list[Tensor]] = []
    for files, _ in track(read(folder)[:images]):
        image = Image.open(files[0]).convert("RGB")
        pixels = torch.stack(backbone.preprocess_views(image, n, files[0].name))
        with torch.inference_mode():
            shown = (pixels.permute(0, 3, 1, 2).float() / 255 - image_pass.mean) / image_pass.std
            rows = image_pass.correction.embed(image_pass.visual, shown)
        found.append(
            [
                cosine_similarity(of.mean(dim=0), normalize(of, dim=1).mean(dim=0), dim=0)
                for of in rows
            ]
        )
    frozen, corrected = zip(*found, strict=True)
    return torch.stack(frozen), torch.stack(corrected)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--areas", default="0.5", help="Least areas of a crop.")
    parser.add_argument("--views", default="1,4,10")
    parser.add_argument("--forms", default=",".join(STYLES))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--raw", action="store_true")
    arguments = parser.parse_args()
    if arguments.raw:
        for name, cosines in zip(("frozen", "corrected"), raw(arguments.folder), strict=True):
            print(f"{name}: cosine {cosines.mean():.6f} on average, {cosines.min():.6f} at least")
        return
    arguments.cache.mkdir(parents=True, exist_ok=True)
    backbone = load_backbone(
        "lite", "cpu", make_engine=partial(fastest, cache=arguments.cache / "compiled")
    )
    areas = [float(area) for area in arguments.areas.split(",")]
    numbers = [int(n) for n in arguments.views.split(",")]
    ways = [("image", areas[0], 1)] if 1 in numbers else []
    ways += [
        (how, area, n)
        for area in areas
        for n in numbers
        if n > 1
        for how in ("image and crops", "crops", "a key a view")
    ]
    found: dict[str, list[list[float]]] = {}
    for form in arguments.forms.split(","):
        for task in tasks(backbone, arguments.folder, arguments.cache, form, areas, max(numbers)):
            for method in arguments.methods.split(","):
                for how, area, n in ways:
                    for shots in SHOTS:
                        for seed in range(DRAWS):
                            name = f"{form}|{method}|{how}|{area if n > 1 else ''}|{n}|{shots}"
                            found.setdefault(name, []).append(
                                measure(task, backbone, method, shots, seed, how, area, n)
                            )
    means = {
        name: [mean(column) for column in zip(*rows, strict=True)] for name, rows in found.items()
    }
    console = Console(width=150)
    for place, what in enumerate(
        ("accuracy", "cross-entropy", "calibration error", "unknown", "coverage")
    ):
        for method in arguments.methods.split(","):
            table = Table("views", "area", *map(str, SHOTS), title=f"{method}: {what}")
            for how, area, n in ways:
                cells = [
                    mean(
                        means[f"{form}|{method}|{how}|{area if n > 1 else ''}|{n}|{k}"][place]
                        for form in arguments.forms.split(",")
                    )
                    for k in SHOTS
                ]
                shown = (f"{cell:.2f}" if place == 1 else f"{cell:.1f}" for cell in cells)
                table.add_row(f"{n}, {how}", f"{area if n > 1 else ''}", *shown)
            console.print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(means, indent=1))


if __name__ == "__main__":
    main()
