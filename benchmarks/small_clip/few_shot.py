"""What a correction does on few-shot tasks: overlap, and accuracy with and without it."""

from __future__ import annotations

from statistics import mean

import torch
from torch import Tensor

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.measures.overlap import overlap

SHOTS, DRAWS = (1, 4, 16), 5


def compared(
    frozen: Tensor, corrected: Tensor, named: Tensor, labels: Tensor, scale: float
) -> dict[str, list[float]]:
    """Overlap and few-shot accuracy in % of the frozen and of the corrected embeddings.

    Args:
        frozen: (n, d) unit embeddings of images.
        corrected: (n, d) of the same images.
        named: (N, d) of the classes' names.
        labels: (n,) classes of the images.
        scale: The logit scale.

    Returns:
        Two values a row; accuracy is that of Tip-Adapter++, mean of the same draws, of which
        each is measured on all images that it leaves.
    """
    areas = [100 * overlap(each, labels).area for each in (frozen, corrected)]
    found = {"intra-modal overlap in %": areas}
    for shots in SHOTS:
        found[f"accuracy in %, {shots} shot{'s' * (shots > 1)}"] = [
            100 * mean(_accuracy(both, named, labels, scale, shots, draw) for draw in range(DRAWS))
            for both in (ImageEmbeddings(frozen, frozen), ImageEmbeddings(frozen, corrected))
        ]
    return found


def _accuracy(
    both: ImageEmbeddings,
    named: Tensor,
    labels: Tensor,
    scale: float,
    shots: int,
    draw: int,
) -> float:
    """Share of the images outside of a support set that are named rightly."""
    generator = torch.Generator().manual_seed(draw)
    shuffled = torch.randperm(len(labels), generator=generator)
    support = torch.cat([shuffled[labels[shuffled] == c][:shots] for c in range(len(named))])
    queries = torch.ones(len(labels), dtype=torch.bool)
    queries[support] = False
    classifier = FewShotClassifier("tip-adapter++", scale).fit(
        ClassSet(torch.arange(len(named)), named),
        SupportSet(support, labels[support], both[support]),
    )
    answered = classifier.answer(both[queries], 0).probabilities.argmax(dim=1)
    return (answered == labels[queries]).float().mean().item()
