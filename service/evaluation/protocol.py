"""K-shot accuracy: draw K images a class, fit a head, count right answers on all test images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from adapters.backbones import Backbone
from adapters.embeddings import ClassSet, SupportSet
from adapters.heads import HEADS, Tuning
from service.evaluation.dataset import Dataset, Example
from service.evaluation.features import Features
from service.storage.records import ClassifierSettings


@dataclass(frozen=True, slots=True)
class Result:
    """Accuracy of one method on one draw, and what leave-one-out had set it to."""

    method: str
    shots: int
    seed: int
    accuracy: float
    tuning: Tuning


def evaluate(
    dataset: Dataset,
    backbone: Backbone,
    features: Features,
    methods: Sequence[str],
    shots: Sequence[int],
    seeds: Sequence[int],
    settings: ClassifierSettings,
) -> Iterator[Result]:
    """Yield one result for each number of shots, seed and method, in this order.

    Test images are used for counting right answers and for nothing else.

    Args:
        dataset: Where the images are.
        backbone: What embeds them.
        features: The embeddings computed so far; the others are computed first.
        methods: Names of heads.
        shots: Numbers of support images a class.
        seeds: One draw each.
        settings: Templates, and whether names carry meaning; the method is not used.
    """
    queries = dataset.queries
    draws = {(k, seed): dataset.draw(k, seed) for k in shots for seed in seeds}
    support = [example.path for draw in draws.values() for example in draw]
    features.compute([*support, *(example.path for example in queries)])
    column = {label: i for i, label in enumerate(dataset.labels)}
    texts = None
    if settings.names_carry_meaning:
        texts = backbone.encode_classes(dataset.labels, settings.templates)
    classes = ClassSet(torch.arange(len(dataset.labels)), texts)
    asked = features.of([example.path for example in queries])
    truth = torch.tensor([column[example.label] for example in queries])
    for (k, seed), draw in draws.items():
        support_set = _support(draw, column, features)
        for method in methods:
            head = HEADS[method](backbone.logit_scale).fit(classes, support_set)
            answers = head.score(asked).logits.argmax(dim=1)
            accuracy = (answers == truth).double().mean().item()
            yield Result(method, k, seed, accuracy, head.tuning_)


def _support(draw: list[Example], column: dict[str, int], features: Features) -> SupportSet:
    return SupportSet(
        torch.arange(len(draw)),
        torch.tensor([column[example.label] for example in draw]),
        features.of([example.path for example in draw]),
    )
