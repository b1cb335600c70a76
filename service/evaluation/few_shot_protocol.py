"""Few-shot evaluation protocol: draw K images a class, fit, and measure on all test images."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from torch import Tensor

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.heads import Tuning
from service.datasets.dataset import Dataset
from service.datasets.features import Features
from service.evaluation.batched_answers import predict
from service.evaluation.draws import Draw, Draws
from service.evaluation.metrics import Metrics, compute_metrics
from service.progress_bar import progress_bar


@dataclass(frozen=True, slots=True)
class FewShotProtocol:
    """Few-shot evaluation protocol: which heads are tried, at how many shots, on how many draws.

    Attributes:
        methods: Names of heads.
        shots: Numbers of support images a class.
        seeds: One draw each.
        templates: Prompt templates with ``{}``; the backbone's own if empty.
        names_carry_meaning: Whether class names take part.
        coverage: How often prediction sets should hold the true class; None: no sets.
        leave_classes_out: Share of the classes to hold out as unknown; None: none.
        false_rejection_rate: Share of queries of the classes that may be called unknown.
        support_views: Support views of each support image; queries have none.
        suggested: Whether support images are those that are suggested, in place of random ones.
    """

    methods: tuple[str, ...]
    shots: tuple[int, ...]
    seeds: tuple[int, ...]
    templates: tuple[str, ...] = ()
    names_carry_meaning: bool = True
    coverage: float | None = None
    leave_classes_out: float | None = None
    false_rejection_rate: float = 0.05
    support_views: int = 1
    suggested: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one method on one draw.

    Attributes:
        method: As asked for.
        shots: Support images a class; a class with fewer training images gave all of them.
        seed: Of the draw.
        n_classes: How many classes there were to choose from.
        n_unknown: How many queries of held-out classes were answered.
        metrics: Accuracy, calibration error, cross-entropy and the others.
        tuning: What leave-one-out had set the head to.
        confidence: (n,) largest probability of each of the n queries of the classes.
        correct: (n,) bool: whether the most probable class is the true one.
    """

    method: str
    shots: int
    seed: int
    n_classes: int
    n_unknown: int
    metrics: Metrics
    tuning: Tuning
    confidence: Tensor = field(repr=False, compare=False)
    correct: Tensor = field(repr=False, compare=False)

    @property
    def head(self) -> str:
        """The head that answered: the method, or what ``auto`` chose."""
        return self.tuning.head or self.method


def evaluate(
    dataset: Dataset,
    backbone: Backbone,
    features: Features,
    protocol: FewShotProtocol,
    console: Console,
    views: Features | None = None,
) -> list[Result]:
    """Few-shot accuracy: one result for each number of shots, seed and method, in this order.

    Test images are used for measuring and for nothing else.

    Args:
        dataset: Where the images are.
        backbone: What embeds them.
        features: Their embeddings; those that are missing are computed first.
        protocol: What is tried.
        console: Where progress is shown.
        views: Embeddings of the support images, where the protocol has several views of them.

    Raises:
        DatasetError: There are too few classes to hold any out, or a file cannot be read.
        NotAnImage, BrokenImage, ImageTooLarge: A file is no image to embed; names the file.
    """
    draws = Draws(
        dataset,
        protocol.shots,
        protocol.seeds,
        protocol.leave_classes_out,
        suggested=protocol.suggested,
    )
    if views is not None:
        views.compute(draws.support_files())
    features.compute(draws.files() if views is None else draws.queries())
    texts = None
    if protocol.names_carry_meaning:
        texts = backbone.encode_classes(dataset.labels, protocol.templates)
    results = []
    with progress_bar(console) as bar:
        task = bar.add_task("fitting heads", total=len(draws) * len(protocol.methods))
        for draw in draws.embedded(features, texts, views):
            for method in protocol.methods:
                classifier = FewShotClassifier(
                    method,
                    backbone.logit_scale,
                    false_rejection_rate=protocol.false_rejection_rate,
                    coverage=protocol.coverage,
                )
                results.append(evaluate_draw(draw, classifier))
                bar.advance(task)
    return results


def evaluate_draw(draw: Draw, classifier: FewShotClassifier) -> Result:
    """Fit a classifier on the support images of a draw and measure it on the queries."""
    classifier.fit(draw.classes, draw.support, negatives=draw.negatives)
    predictions = predict(classifier, draw.queries)
    unknown = predict(classifier, draw.unknown) if len(draw.unknown) else None
    confidence, best = predictions.probabilities.max(dim=1)
    return Result(
        classifier.method,
        draw.shots,
        draw.seed,
        len(draw.classes),
        len(draw.unknown),
        compute_metrics(predictions, draw.truth, unknown),
        classifier.tuning,
        confidence,
        best == draw.truth,
    )
