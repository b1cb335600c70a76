"""The prior of ``auto``: which weights of names and images are best with hindsight, and what for.

    .venv/bin/python -m benchmarks.stacking GENERIC [--draws 2]

GENERIC holds ``caltech101`` and ``imagenet_one_per_class``. Nine families of tasks: Caltech-101 as
it is, with 32 and 64 pixels, as edges and posterised, with scrambled names as it is and with 32
pixels; and super-classes of ImageNet, as they are and with 32 pixels, where names are good and
images poor. First the weights that are best with the queries at hand, family by family: their mean
and standard deviation is ``EXPECTED`` of ``adapters/heads/auto.py``. Then what ``auto`` answers
with it, what it would with other values of one constant, and by how much it is behind the names.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, pstdev

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import binary_calibration_error

import adapters.heads.auto
import adapters.kernel_ridge
import adapters.tuning.stacking
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet
from adapters.heads.auto import EXPECTED, Expected, expected_at, image_unit
from adapters.heads.gda import GDAPlusPlus
from adapters.heads.krr import KRRPlusPlus
from adapters.heads.term import zero_shot_logits
from adapters.rest import no_rest
from adapters.tuning.search import standardised
from adapters.tuning.stacking import Prior, stacked_weights
from adapters.tuning.temperature import calibrated_temperature
from adapters.tuning.tuning import Tuning
from adapters.tuning.votes import Votes
from benchmarks import super_classes
from benchmarks.generic_tasks import ALL_STYLES, SIZES, Pool, Task, as_it_is, draw, tiny
from benchmarks.kept_features import kept_features
from service.datasets.dataset import read_classes
from service.datasets.feature_cache import FeatureCache, default_folder
from service.encoder import load_encoder
from service.settings import Settings

SHOTS = (1, 2, 4, 8, 16)
#: So weak that the queries alone decide.
HINDSIGHT = Prior((0.6, 8.0), (0.5, 8.0))
Family = dict[str, list[Task]]


def families(pools: dict[str, Pool], shots: int, draws: int) -> Family:
    """The tasks of each family."""
    found: Family = {}
    for style, one in pools.items():
        for number in range(draws):
            for n_classes in super_classes.SIZES if style.startswith("super") else SIZES:
                seed = f"{style}/{n_classes}/{number}"
                if style.startswith("super"):
                    task = super_classes.draw(one, n_classes, shots, seed)
                    found.setdefault(style, []).append(task)
                    continue
                found.setdefault(style, []).append(draw(one, n_classes, shots, seed))
                if style in ("as it is", "32 pixels"):
                    task = draw(one, n_classes, shots, f"{seed}/scrambled", scrambled=True)
                    found.setdefault(f"{style}, scrambled", []).append(task)
    return found


def hindsight(task: Task, logit_scale: float) -> tuple[float, float]:
    """The weights of names and images, in the units of ``EXPECTED``, that suit the queries best."""
    n_classes = len(task.texts)
    classes = ClassSet(torch.arange(n_classes), task.texts)
    images = task.support.labelled
    rows = torch.arange(len(images))
    zero_shot = zero_shot_logits(images.embeddings.frozen, classes, logit_scale)
    trust = calibrated_temperature(zero_shot, images.labels, Votes.class_weights(images.labels))
    everyone = Votes.of(images.labels, n_classes, singles=True)
    names = (zero_shot[everyone.rows] / trust).log_softmax(dim=1)
    _, ridge = KRRPlusPlus(logit_scale).unweighted(classes, images, rows, no_rest)
    unit = image_unit(names, everyone, ridge.spread)
    term = unit * ridge.scores(task.queries.corrected)
    expected = expected_at(len(images) / n_classes)
    if len(images) > n_classes:
        voters = Votes.of(images.labels, n_classes)
        gda = GDAPlusPlus(logit_scale)
        parameters, left = gda.untuned(classes, images, voters.rows, no_rest)
        scale = standardised(left).scale
        tuning = Tuning(parameters)
        scores = gda.fit(classes, task.support, tuning).score(task.queries, 0).cache
        term = term + unit * expected.gaussians * scale * scores
    asked = zero_shot_logits(task.queries.frozen, classes, logit_scale) / trust
    votes = Votes(torch.arange(len(task.truth)), task.truth, Votes.class_weights(task.truth))
    of_names, of_images = stacked_weights([asked.log_softmax(dim=1), term], votes, HINDSIGHT)
    return of_names, of_images


def measured(task: Task, logit_scale: float) -> tuple[float, float, float, float]:
    """Accuracy, cross-entropy, calibration error of ``auto``, and accuracy of the names."""
    classes = ClassSet(torch.arange(len(task.texts)), task.texts)
    classifier = FewShotClassifier("auto", logit_scale).fit(classes, task.support)
    chances = classifier.answer(task.queries, 0).probabilities
    by_name = zero_shot_logits(task.queries.frozen, classes, logit_scale).argmax(dim=1)

    def share(labels: Tensor) -> float:
        return 100 * float((labels == task.truth).double().mean())

    hits = (chances.argmax(dim=1) == task.truth).long()
    return (
        share(chances.argmax(dim=1)),
        float(cross_entropy(chances.clamp(min=1e-9).log(), task.truth)),
        100 * float(binary_calibration_error(chances.amax(dim=1), hits)),
        share(by_name),
    )


def weights(found: Family, logit_scale: float) -> dict[str, tuple[float, float]]:
    """The median weights of each family."""
    medians = {}
    for family, tasks in found.items():
        both = torch.tensor([hindsight(task, logit_scale) for task in tasks])
        of_names, of_images = both.median(dim=0).values.tolist()
        medians[family] = of_names, of_images
    return medians


def variants() -> Iterator[tuple[str, object, str, object]]:
    """Constants by their module and name, and another value of each."""
    stacking, ridge, auto = adapters.tuning.stacking, adapters.kernel_ridge, adapters.heads.auto
    yield from (("a vote counts", stacking, "VOTE", value) for value in (0.25, 1.0))
    yield from (("λ", ridge, "RIDGE", value) for value in (0.1, 0.3, 3.0))
    yield from (("lost to names", auto, "_LOST_TO_NAMES", value) for value in (0.0, 0.8))
    for times in (0.5, 2.0):
        other = tuple(
            Expected(one.shots, one.names, one.images, times * one.gaussians) for one in EXPECTED
        )
        yield f"share of GDA++ x {times}", auto, "EXPECTED", other


def row(name: str, found: Family, logit_scale: float) -> list[str]:
    """What is measured of all families, one number for each of them and their mean."""
    figures = []
    for tasks in found.values():
        each = torch.tensor([measured(task, logit_scale) for task in tasks]).mean(dim=0)
        figures.append(each)
    every = torch.stack(figures)
    behind = (every[:, 3] - every[:, 0]).max()
    accuracy, loss, error, _ = every.mean(dim=0).tolist()
    return [name, f"{accuracy:.2f}", f"{loss:.3f}", f"{error:.1f}", f"{behind:.1f}"]


def pools_of(folder: Path, console: Console) -> tuple[dict[str, Pool], float]:
    """Embeddings of all styles, kept for the next run, and the logit scale."""
    backbone = load_encoder(Settings())
    cache = FeatureCache(default_folder(), backbone)
    photos, imagenet = (
        read_classes(folder / name) for name in ("caltech101", "imagenet_one_per_class")
    )
    files = [file for label in sorted(photos) for file in photos[label]]
    columns = torch.tensor([i for i, label in enumerate(sorted(photos)) for _ in photos[label]])
    texts = backbone.encode_classes(sorted(photos), ())
    found = {}
    for title, style in ALL_STYLES.items():
        images = kept_features(backbone, files, style, cache, console)
        found[title] = Pool(images, columns, texts)
    supers = backbone.encode_classes(list(super_classes.SUPER_CLASSES), ())
    each = [imagenet[label][0] for label in sorted(imagenet)]
    for title, style in (("as it is", as_it_is), ("32 pixels", tiny)):
        images = kept_features(backbone, each, style, cache, console)
        found[f"super-classes, {title}"] = super_classes.super_pool(images, supers)
    return found, backbone.logit_scale


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=2)
    arguments = parser.parse_args()
    console = Console(width=140)
    pools, scale = pools_of(arguments.folder, console)
    for shots in SHOTS:
        found = families(pools, shots, arguments.draws)
        medians = weights(found, scale)
        table = Table("family", "names", "images", title=f"with hindsight, {shots} shots")
        for family, (of_names, of_images) in medians.items():
            table.add_row(family, f"{of_names:.2f}", f"{of_images:.1f}")
        for what, of in (("mean", mean), ("standard deviation", pstdev)):
            table.add_row(
                what, *(f"{of(each):.2f}" for each in zip(*medians.values(), strict=True))
            )
        console.print(table)
        columns = ("accuracy", "cross-entropy", "ECE", "most behind the names")
        table = Table("auto", *columns, title=f"{shots} shots, mean of the families")
        table.add_row(*row("as it is", found, scale))
        for name, module, constant, value in variants():
            before = getattr(module, constant)
            setattr(module, constant, value)
            shown = name if isinstance(value, tuple) else f"{name} {value}"
            table.add_row(*row(shown, found, scale))
            setattr(module, constant, before)
        console.print(table)


if __name__ == "__main__":
    main()
