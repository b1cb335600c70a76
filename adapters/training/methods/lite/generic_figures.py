"""What the projections are worth on generic images, the only ones that may decide anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from timm.data import ImageNetInfo
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from adapters.backbones.backbone import readable
from adapters.training.methods.lite.config import LiteConfig
from adapters.training.methods.lite.model import ClassTexts, Projections
from adapters.training.methods.lite.objective import learn

FOLDS = 5
SHOTS = (1, 4, 16)
SEEDS = 3


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
    """Pooled features of labelled images.

    Attributes:
        features: (n, 1280).
        labels: (n,) int64, positions in ``classes``.
        classes: Folder names.
    """

    features: Tensor
    labels: Tensor
    classes: tuple[str, ...]


def zero_shot(
    projections: Projections, images: LabelledFeatures, class_texts: Tensor
) -> dict[str, float]:
    """Return zero-shot accuracy in % and the mean negative log-likelihood in nats.

    Args:
        projections: What is measured.
        images: With labels that are rows of ``class_texts``.
        class_texts: (c, w) text features of the class names.
    """
    cosine = projections.project_images(images.features) @ (
        projections.project_texts(class_texts).T
    )
    hits = (cosine.argmax(dim=1) == images.labels).float().mean()
    loss = cross_entropy(projections.logit_scale * cosine, images.labels)
    return {"accuracy": round(100 * hits.item(), 1), "nll": round(loss.item(), 3)}


def nearest_neighbour(
    embed: Callable[[Tensor], Tensor], images: LabelledFeatures
) -> dict[str, float]:
    """Return the accuracy in % of the nearest of K images a class, for each K, over seeds.

    Args:
        embed: (n, 1280) features to (n, d) unit vectors.
        images: Some of each class become the support, all others are queries.
    """
    embedded = embed(images.features)
    similarity = embedded @ embedded.T
    figures: dict[str, float] = {}
    for shots in SHOTS:
        accuracies = []
        for seed in range(SEEDS):
            shuffled = torch.randperm(
                len(images.labels), generator=torch.Generator().manual_seed(seed)
            )
            drawn = torch.cat(
                [shuffled[images.labels[shuffled] == c][:shots] for c in range(len(images.classes))]
            )
            queries = torch.ones(len(images.labels), dtype=torch.bool)
            queries[drawn] = False
            nearest = drawn[similarity[queries][:, drawn].argmax(dim=1)]
            hits = images.labels[nearest] == images.labels[queries]
            accuracies.append(hits.float().mean().item())
        figures[f"{shots}-shot"] = round(100 * sum(accuracies) / SEEDS, 1)
    return figures


def unseen_classes(
    rows: Tensor,
    texts: Sequence[ClassTexts],
    config: LiteConfig,
    seed: int,
    images: LabelledFeatures,
) -> dict[str, float]:
    """Return zero-shot accuracy among ImageNet classes that were left out of the learning.

    The 1000 classes are cut into five parts; each is recognised, among its 200 names, by
    projections learned from the other 800.

    Args:
        rows: (1000, 1280) `centred_rows`.
        texts: The names of the 1000 classes.
        config: How to learn.
        seed: Decides the parts and the learning.
        images: Images of ImageNet classes, folders named by WordNet id.
    """
    row_of = {wordnet_id: row for row, wordnet_id in enumerate(ImageNetInfo().label_names())}
    labels = torch.tensor([row_of[name] for name in images.classes])[images.labels]
    parts = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).chunk(FOLDS)
    measured = []
    for held_out in parts:
        kept = torch.ones(len(rows), dtype=torch.bool)
        kept[held_out] = False
        learned = learn(rows[kept], [texts[i] for i in kept.nonzero()[:, 0].tolist()], config, seed)
        position = torch.full((len(rows),), -1)
        position[held_out] = torch.arange(len(held_out))
        mine = position[labels] >= 0
        part = LabelledFeatures(images.features[mine], position[labels[mine]], ())
        # The second prompt of a class is its first name in a sentence, as the service asks.
        measured.append(
            zero_shot(learned, part, torch.stack([texts[i].features[1] for i in held_out.tolist()]))
        )
    return {
        name: round(sum(figures[name] for figures in measured) / FOLDS, 3) for name in measured[0]
    }


def measure(
    caltech: LabelledFeatures,
    imagenet: LabelledFeatures,
    rows: Tensor,
    texts: Sequence[ClassTexts],
    encode: Callable[[Sequence[str]], Tensor],
    variants: dict[str, LiteConfig],
    seed: int,
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures of several ways to learn, and of the features before projection."""
    named = encode([f"a photo of a {readable(name)}." for name in caltech.classes])
    figures: dict[str, dict[str, dict[str, float]]] = {
        "pooled features": {
            "caltech101 nearest neighbour": nearest_neighbour(
                lambda features: normalize(features, dim=-1), caltech
            )
        }
    }
    for name, config in variants.items():
        learned = learn(rows, texts, config, seed)
        figures[name] = {
            "caltech101 zero-shot": zero_shot(learned, caltech, named),
            "unseen ImageNet classes zero-shot": unseen_classes(
                rows, texts, config, seed, imagenet
            ),
            "caltech101 nearest neighbour": nearest_neighbour(learned.project_images, caltech),
        }
    return figures
