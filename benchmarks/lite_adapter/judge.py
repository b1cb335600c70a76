"""What an adapter is worth on classes that nothing was learned from, in four styles."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from statistics import mean

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.measures.overlap import overlap
from benchmarks.lite_adapter.cache import JUDGED, VIEWS, Cached
from benchmarks.lite_adapter.cuts import Cut

STYLES = {"photos": 0} | {title: VIEWS + i for i, title in enumerate(JUDGED)}
HEADS = ("tip-adapter++", "auto")
SHOTS, SIZES, DRAWS = (1, 4, 8), (7, 20), 2
OVERLAP_CLASSES, OVERLAP_DRAWS = 7, 24
"""Tasks that overlap is measured in are as small as the measuring sets of one domain."""
KINDS, IMAGES = 24, 10
"""Kinds of which single images are told apart, and images of each."""
_BATCH = 64

Embed = Callable[[Tensor], Tensor]
"""(n, 192, 7, 7) features in front of place 6 to (n, d) embeddings."""


@torch.inference_mode()
def embedded(images: Cached, rows: Tensor, view: int, embed: Embed) -> Tensor:
    """(len(rows), d) unit embeddings of one view."""
    blocks = [embed(images.view(some, view)) for some in torch.split(rows, _BATCH)]
    return normalize(torch.cat(blocks), dim=1)


def overlap_in_tasks(embeddings: Tensor, labels: Tensor) -> float:
    """Mean intra-modal overlap in %, of the images of a few classes at a time."""
    chance = random.Random(0)
    known = sorted(set(labels.tolist()))
    areas = []
    for _ in range(OVERLAP_DRAWS):
        some = torch.tensor(chance.sample(known, OVERLAP_CLASSES))
        chosen = torch.isin(labels, some)
        areas.append(overlap(embeddings[chosen], labels[chosen]).area)
    return 100 * mean(areas)


def accuracy(
    head: str, frozen: Tensor, corrected: Tensor, labels: Tensor, texts: Tensor, logit_scale: float
) -> float:
    """Mean accuracy in % of a head in few-shot tasks, the same ones for every adapter."""
    embeddings = ImageEmbeddings(frozen, corrected)
    shares = []
    for support, columns, queries, truth, chosen in _tasks(labels):
        classifier = FewShotClassifier(head, logit_scale)
        classifier.fit(
            ClassSet(torch.arange(len(chosen)), texts[chosen]),
            SupportSet(torch.arange(len(support)), columns, embeddings[support]),
        )
        found = classifier.answer(embeddings[queries], 0).probabilities.argmax(dim=1)
        shares.append((found == truth).float().mean().item())
    return 100 * mean(shares)


def judged(
    images: Cached,
    cut: Cut,
    frozen: Mapping[str, Tensor],
    embed: Embed,
    texts: Tensor,
    logit_scale: float,
) -> dict[str, float]:
    """All figures in %, by style and measure.

    Args:
        images: All of them.
        cut: Whose held-out rows are judged on.
        frozen: Joint embeddings of the rows of fine classes, by style.
        embed: Under judgement.
        texts: (classes, d) embeddings of all classes' names.
        logit_scale: Of the model.
    """
    found = {}
    for style, view in STYLES.items():
        rows, labels = cut.fine
        corrected = embedded(images, rows, view, embed)
        found[f"{style}: overlap"] = overlap_in_tasks(corrected, labels)
        for head in HEADS:
            share = accuracy(head, frozen[style], corrected, labels, texts, logit_scale)
            found[f"{style}: {head}"] = share
        rows, labels = cut.broad
        broad = embedded(images, rows, view, embed)
        found[f"{style}: overlap of broad classes"] = overlap_in_tasks(broad, labels)
    found["images of one kind: overlap"] = overlap_of_images(images, cut.fine, embed)
    return found


def overlap_of_images(images: Cached, fine: tuple[Tensor, Tensor], embed: Embed) -> float:
    """Mean overlap in % where each image of one kind is a class, and its views are the pictures.

    It is what goes up when details are given away for the sake of kinds.
    """
    areas = []
    for kind in fine[1].unique()[:KINDS]:
        rows = fine[0][fine[1] == kind][:IMAGES]
        views = [embedded(images, rows, view, embed) for view in (*STYLES.values(), 1)]
        owners = torch.arange(len(rows)).repeat(len(views))
        areas.append(overlap(torch.cat(views), owners).area)
    return 100 * mean(areas)


def _tasks(labels: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """Rows and columns of support images, rows and columns of queries, and the classes."""
    known = sorted(set(labels.tolist()))
    for shots in SHOTS:
        for size in SIZES:
            for draw in range(DRAWS):
                chance = random.Random(f"{shots}/{size}/{draw}")
                chosen = chance.sample(known, size)
                support: list[tuple[int, int]] = []
                queries: list[tuple[int, int]] = []
                for column, label in enumerate(chosen):
                    rows = (labels == label).nonzero().flatten().tolist()
                    chance.shuffle(rows)
                    support += [(row, column) for row in rows[:shots]]
                    queries += [(row, column) for row in rows[max(SHOTS) :]]
                yield (*torch.tensor(support).T, *torch.tensor(queries).T, torch.tensor(chosen))
