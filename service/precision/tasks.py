"""Few-shot tasks on synthetic pictures: what a precision does to accuracy, without any file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet

A_CLASS = 24
"""Pictures of each subject."""
SHOTS = (1, 4, 16)
METHODS = ("tip-adapter++", "auto")
_CLASSES = 10
_DRAWS = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """How accuracy differs between two ways of embedding the same pictures.

    Attributes:
        accuracy: Of the first, in %.
        points: The second less the first, in points of accuracy.
        error: Standard error of that, over pictures.
    """

    accuracy: float
    points: float
    error: float


@dataclass(frozen=True, slots=True)
class Draw:
    """A task drawn from all pictures: which support it, and which are asked about.

    Attributes:
        labels: Classes, as numbers of subjects.
        support: Rows, so many of each class, class by class.
        queries: Rows; all others of these classes.
        truth: (n,) columns of the queries' classes.
    """

    labels: list[int]
    support: list[int]
    queries: list[int]
    truth: Tensor

    @property
    def shots(self) -> int:
        """Support pictures a class."""
        return len(self.support) // len(self.labels)


def draws(n_classes: int, a_class: int, shots: int, n: int = _DRAWS) -> list[Draw]:
    """Tasks, always the same ones.

    Args:
        n_classes: There are; rows go class by class.
        a_class: Pictures of each.
        shots: Support pictures of each class of a task.
        n: How many tasks.
    """
    found = []
    for number in range(n):
        chance = Random(f"{shots}/{number}")  # noqa: S311 - a draw, no secret
        labels = chance.sample(range(n_classes), min(_CLASSES, n_classes))
        support, queries, truth = list[int](), list[int](), list[int]()
        for column, label in enumerate(labels):
            rows = [label * a_class + i for i in range(a_class)]
            chance.shuffle(rows)
            support += rows[:shots]
            queries += rows[shots:]
            truth += [column] * (a_class - shots)
        found.append(Draw(labels, support, queries, torch.tensor(truth)))
    return found


def right(
    draw: Draw,
    texts: Tensor,
    keys: ImageEmbeddings,
    queries: ImageEmbeddings,
    method: str,
    logit_scale: float,
) -> Tensor:
    """(n,) bool: which queries of a task are named rightly.

    Args:
        draw: The task.
        texts: (N, d) embeddings of all class names.
        keys: Embeddings that support pictures are taken from.
        queries: Those that queries are taken from.
        method: The head.
        logit_scale: Of the encoder.
    """
    n = len(draw.labels)
    columns = torch.arange(n).repeat_interleave(draw.shots)
    support = SupportSet(torch.arange(len(columns)), columns, keys[torch.tensor(draw.support)])
    classifier = FewShotClassifier(method, logit_scale)
    classifier.fit(ClassSet(torch.arange(n), texts[draw.labels]), support)
    answers = classifier.answer(queries[torch.tensor(draw.queries)], 0)
    return answers.probabilities.argmax(dim=1) == draw.truth


def answered(
    tasks: Sequence[Draw],
    texts: Tensor,
    keys: ImageEmbeddings,
    queries: ImageEmbeddings,
    logit_scale: float,
    methods: Sequence[str] = METHODS,
) -> Tensor:
    """(m, n) float64: how many heads named each of n pictures rightly in each of m tasks.

    NaN where it is no query of the task.

    Args:
        tasks: m of them.
        texts: (N, d) embeddings of all class names.
        keys: Embeddings of all n pictures, that support pictures are taken from.
        queries: The same, that queries are taken from.
        logit_scale: Of the encoder.
        methods: Heads.
    """
    found = torch.full((len(tasks), len(keys.frozen)), torch.nan, dtype=torch.float64)
    for row, draw in zip(found, tasks, strict=True):
        hits = [right(draw, texts, keys, queries, method, logit_scale) for method in methods]
        row[draw.queries] = torch.stack(hits).double().sum(dim=0)
    return found


def difference(first: Tensor, second: Tensor, n_methods: int = len(METHODS)) -> Difference:
    """Few-shot accuracy of the same tasks in two ways: a paired comparison.

    Args:
        first: Of :func:`answered`.
        second: The same tasks in another way.
        n_methods: How many heads were asked.
    """
    asked = n_methods * first.isfinite().double().sum(dim=0)
    total = asked.sum()
    change = (second - first).nansum(dim=0)
    points = float(change.sum() / total)
    # Pictures are what is drawn at random: of each, the mean over the tasks that it is asked in.
    error = float((change - points * asked).square().sum().sqrt() / total)
    return Difference(100 * float(first.nansum() / total), 100 * points, 100 * error)
