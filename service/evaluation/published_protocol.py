"""The papers' evaluation protocol: settings searched on validation images, accuracy on test images.

As Kravets & Namboodiri (*CLIP Adaptation by Intra-modal Overlap Reduction*, BMVC 2024) run it. The
ordinary protocol (``few_shot_protocol``) needs no validation images; its figures are those that a
service reaches, and are not to be put beside published ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from adapters.backbones import Backbone
from adapters.backbones.backbone import ensemble
from adapters.embeddings import ImageEmbeddings
from adapters.published import PUBLISHED_HEADS, PublishedHead, Setting
from service.datasets.dataset import Dataset, DatasetError, read_classes
from service.evaluation.draws import Draws
from service.evaluation.published_features import PublishedFeatures
from service.name_validation import NOT_THESE
from service.progress_bar import progress_bar

PROTOCOL = "paper"


@dataclass(frozen=True, slots=True)
class PublishedProtocol:
    """What is tried.

    Attributes:
        methods: Names of heads, of :data:`adapters.published.PUBLISHED_HEADS`.
        shots: Numbers of support images a class.
        seeds: One draw each.
        templates: Prompt templates with ``{}``.
        names: What is written into them for a class; the label with spaces for underscores where
            there is nothing else.
    """

    methods: tuple[str, ...]
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    templates: tuple[str, ...]
    names: Mapping[str, str]

    def texts(self, backbone: Backbone, labels: Sequence[str]) -> Tensor:
        """(N, d) unit class texts, the mean over the templates.

        Written as the authors' code writes them: no hyphen or capital letter is taken for a space.
        """
        names = [self.names.get(label, label.replace("_", " ")) for label in labels]
        prompts = [template.replace("{}", name) for name in names for template in self.templates]
        return ensemble(backbone.encode_texts(prompts), len(self.templates))


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """Result of one head on one draw.

    Attributes:
        method: The head.
        shots: Support images a class; a class with fewer training images gave all of them.
        seed: Of the draw.
        setting: α, β and γ that the search chose.
        settings: How many were tried.
        validation_accuracy: With that setting, as a fraction; it was chosen for being the highest.
        accuracy: Of the test images, as a fraction.
    """

    method: str
    shots: int
    seed: int
    setting: Setting
    settings: int
    validation_accuracy: float
    accuracy: float


def read_validation(folder: Path, dataset: Dataset) -> dict[str, tuple[Path, ...]]:
    """List the validation images of a data set.

    Args:
        folder: Holds ``CLASS/*``.
        dataset: The classes.

    Raises:
        DatasetError: There is no such folder, or its classes are not those of the data set.
    """
    if not folder.is_dir():
        raise DatasetError(
            f"there is no folder {folder} with validation images, CLASS/*, to search settings on; "
            "name one with --validation"
        )
    found = read_classes(folder)
    if unknown := sorted(found.keys() - set(dataset.labels)):
        raise DatasetError(
            f"{folder} has classes without training images: {', '.join(unknown)}. Take these "
            "folders out of it, or name another one with --validation."
        )
    if missing := sorted(set(dataset.labels) - found.keys()):
        raise DatasetError(
            f"{folder} has no images of {', '.join(missing)}: settings would be chosen for the "
            "other classes. Add some, or name another folder with --validation."
        )
    if NOT_THESE in found:
        raise DatasetError(
            f"{folder} has images of {NOT_THESE}, which are explicit negatives, and the papers' "
            "protocol knows none; take that class out of the data set"
        )
    return found


def evaluate_published(
    dataset: Dataset,
    validation: Mapping[str, Sequence[Path]],
    backbone: Backbone,
    queries: PublishedFeatures,
    support: PublishedFeatures,
    protocol: PublishedProtocol,
    console: Console,
) -> list[PublishedResult]:
    """One result for each number of shots, seed and head, in this order.

    Args:
        dataset: Training images to draw from, and test images.
        validation: Validation images by class.
        backbone: What embeds them; the search runs on its device.
        queries: Features of validation and test images; those that are missing are computed first.
        support: Features of support images, likewise.
        protocol: What is tried.
        console: Where progress is shown.

    Raises:
        DatasetError: There are no test images, or a file cannot be read.
        NotAnImage, BrokenImage, ImageTooLarge: A file is no image to embed; names the file.
    """
    draws = Draws(dataset, protocol.shots, protocol.seeds)
    examined = [(path, label) for label in dataset.labels for path in validation[label]]
    support.compute(draws.support_files())
    queries.compute([*(path for path, _ in examined), *draws.queries()])
    texts = protocol.texts(backbone, dataset.labels)
    device = backbone.device

    def there(rows: ImageEmbeddings) -> ImageEmbeddings:
        return ImageEmbeddings(rows.frozen.to(device), rows.corrected.to(device))

    # Labels of draws are numbers of classes, as columns are: no class is held out.
    held = there(queries.of([path for path, _ in examined]))
    column = {label: i for i, label in enumerate(dataset.labels)}
    truth = torch.tensor([column[label] for _, label in examined], device=device)
    results = []
    with progress_bar(console) as bar:
        task = bar.add_task("searching settings", total=len(draws) * len(protocol.methods))
        for draw in draws.embedded(queries, texts, support):
            tested, answers = there(draw.queries), draw.truth.to(device)
            keys, columns = there(draw.support.embeddings), draw.support.labels.to(device)
            for method in protocol.methods:
                head = PublishedHead(method, texts.to(device), keys, columns, backbone.logit_scale)
                found = head.search(held, truth)
                results.append(
                    PublishedResult(
                        method,
                        draw.shots,
                        draw.seed,
                        found.setting,
                        found.settings,
                        found.accuracy,
                        head.accuracy(tested, answers, found.setting),
                    )
                )
                bar.advance(task)
    return results


def check_published(method: str) -> None:
    """See that the authors' code searches the settings of a head.

    Raises:
        ValueError: It does not; the message says which heads there are.
    """
    if method in PUBLISHED_HEADS:
        return
    why = (
        "its authors search it over other ranges, channels and weights for each of their data "
        "sets, and for another encoder"
        if method.startswith("ape")
        else "no paper searches its settings so"
    )
    raise ValueError(
        f"{method} is not evaluated by --protocol paper: {why}. There are "
        f"{', '.join(PUBLISHED_HEADS)}; leave it out of --methods, or leave out --protocol."
    )
