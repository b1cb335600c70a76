"""Which images of a folder to register next: computed without a service, for a terminal."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from adapters.classifier import Answers, FewShotClassifier
from adapters.embeddings import ImageEmbeddings
from service.suggestions.known_support import KnownSupport
from service.suggestions.pool_folder import PoolFolder
from service.suggestions.pool_suggestions import NearestSupport, class_numbers, suggest


@dataclass(frozen=True, slots=True)
class Predicted:
    """The class that an image is most probably of."""

    label: str
    probability: float
    known: bool


@dataclass(frozen=True, slots=True)
class SupportFile:
    """A support image that an image resembles."""

    file: str
    label: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedFile:
    """An image that is worth a label, and why; members as those of the API's suggestions."""

    file: str
    label: str | None
    gain: float
    coverage: float
    predicted: Predicted | None
    nearest: SupportFile | None


@dataclass(frozen=True, slots=True)
class DuplicateFile:
    """An image that is a copy of a support image."""

    file: str
    of: SupportFile


@dataclass(frozen=True, slots=True)
class FolderSuggestions:
    """What a folder has for a support set.

    Attributes:
        labelled: Whether folders told the classes of the images.
        n_images: How many images there are.
        suggestions: Best first.
        duplicates: Images that are registered already.
    """

    labelled: bool
    n_images: int
    suggestions: list[SuggestedFile]
    duplicates: list[DuplicateFile]

    def json(self) -> dict[str, Any]:
        """As the values of a JSON document."""
        return asdict(self)


def suggest_files(
    pool: PoolFolder, embeddings: ImageEmbeddings, known: KnownSupport | None, n: int
) -> FolderSuggestions:
    """Choose images of a folder.

    Args:
        pool: The folder.
        embeddings: Of its images.
        known: What is registered; None: nothing.
        n: How many at most: of each class where labels are known, in all where not.
    """
    names, files = ([], []) if known is None else (known.labels, known.files)
    labels = class_numbers(pool.labels, {label: i for i, label in enumerate(names)})
    support, support_labels = embeddings.corrected[:0], torch.empty(0, dtype=torch.int64)
    if known is not None:
        held, others = known.classifier.support, known.classifier.negatives
        held = held if others is None else held.with_added(others)
        support, support_labels = held.embeddings.corrected, held.labels
    found = suggest(embeddings.corrected, labels, support, support_labels, n)
    rows = torch.tensor([one.position for one in found.suggested], dtype=torch.int64)
    predicted: list[Predicted | None] = [None] * len(rows)
    if known is not None and len(rows):
        predicted = list(_predicted(known, embeddings[rows]))

    def named(nearest: NearestSupport) -> SupportFile:
        label = names[int(support_labels[nearest.row])]
        return SupportFile(files[nearest.row], label, nearest.similarity)

    return FolderSuggestions(
        labels is not None,
        len(pool.names),
        [
            SuggestedFile(
                file=pool.names[one.position],
                label=None if labels is None or pool.labels is None else pool.labels[one.position],
                gain=one.gain,
                coverage=one.coverage,
                predicted=taken_for,
                nearest=None if one.nearest is None else named(one.nearest),
            )
            for one, taken_for in zip(found.suggested, predicted, strict=True)
        ],
        [DuplicateFile(pool.names[one.position], named(one.nearest)) for one in found.registered],
    )


def suggestions_table(found: FolderSuggestions) -> Table:
    """Suggestions in their order, for a terminal."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("image", overflow="fold")
    table.add_column("gain", justify="right", no_wrap=True)
    table.add_column("coverage", justify="right", no_wrap=True)
    with_support = any(one.predicted is not None for one in found.suggestions)
    if with_support:
        table.add_column("taken for", overflow="fold")
        table.add_column("most like", overflow="fold")
    for number, one in enumerate(found.suggestions, 1):
        cells = [str(number), one.file, f"{one.gain:.4f}", f"{one.coverage:.3f}"]
        if with_support:
            cells += [_taken_for(one.predicted), _most_like(one.nearest)]
        table.add_row(*cells)
    return table


def _predicted(known: KnownSupport, images: ImageEmbeddings) -> list[Predicted]:
    answers = _answer(known.classifier, images)
    ids = known.classifier.classes.ids.tolist()
    best = answers.probabilities.max(dim=1)
    values = zip(best.indices.tolist(), best.values.tolist(), answers.known.tolist(), strict=True)
    return [
        Predicted(known.labels[ids[column]], probability, is_known)
        for column, probability, is_known in values
    ]


def _answer(classifier: FewShotClassifier, images: ImageEmbeddings) -> Answers:
    with torch.inference_mode():
        return classifier.answer(images, 0)


def _taken_for(predicted: Predicted | None) -> str:
    if predicted is None:
        return ""
    shown = f"{predicted.label} {100 * predicted.probability:.0f} %"
    return shown if predicted.known else f"{shown}, unknown"


def _most_like(nearest: SupportFile | None) -> str:
    if nearest is None:
        return ""
    return f"{nearest.file or nearest.label} {nearest.similarity:.2f}"
