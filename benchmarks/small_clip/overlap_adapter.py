"""Does an adapter trained on some classes help to tell others apart?"""

from __future__ import annotations

from statistics import mean
from typing import Any

import torch
from torch import Tensor

from adapters.classifier import FewShotClassifier
from adapters.corrections.bottleneck import BottleneckConfig, attach
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.measures.overlap import overlap
from adapters.training.loop import LoopSettings
from adapters.training.methods.imo.objectives.supervised import Supervised
from benchmarks.small_clip.clip import CONFIG, images, run, texts
from benchmarks.small_clip.data import Crops, Pictures

SHOTS, DRAWS = (1, 4, 16), 5
ADAPTER = BottleneckConfig(width=64, scale=1.0)
SETTINGS = LoopSettings(epochs=30, batch=64, learning_rate=2e-3)


def measure(model: Any, learning: Pictures, other: Pictures, seed: int) -> dict[str, list[float]]:
    """Figures of the frozen and of the adapted encoder on classes that the adapter never saw.

    Args:
        model: The small CLIP; it is left as it was.
        learning: What the adapter is trained on.
        other: Images of other classes.
        seed: Of the training and the draws.
    """
    frozen = images(model, other.centre())
    torch.manual_seed(seed)
    adapter = attach(model.visual, ADAPTER)
    objective = Supervised(model.visual, adapter, CONFIG["embed_dim"], len(learning.names))
    run(objective, Crops(learning, seed=seed), SETTINGS, "training the adapter")
    adapted = images(model, other.centre())
    adapter.detach()
    model.requires_grad_(True)
    both = ImageEmbeddings(frozen, adapted)
    scale = float(model.logit_scale.detach().exp())
    named = texts(model, other.names)
    found = {
        "intra-modal overlap": [overlap(each, other.labels).area for each in (frozen, adapted)]
    }
    for shots in SHOTS:
        accuracies = [
            [accuracy(both, named, other.labels, scale, shots, draw, head) for draw in range(DRAWS)]
            for head in ("tip-adapter", "tip-adapter++")
        ]
        found[f"accuracy in %, {shots} shots"] = [100 * mean(each) for each in accuracies]
    return found


def accuracy(
    both: ImageEmbeddings,
    named: Tensor,
    labels: Tensor,
    scale: float,
    shots: int,
    draw: int,
    head: str,
) -> float:
    """Share of the images outside of a support set that a head names rightly."""
    generator = torch.Generator().manual_seed(draw)
    shuffled = torch.randperm(len(labels), generator=generator)
    support = torch.cat([shuffled[labels[shuffled] == c][:shots] for c in range(len(named))])
    queries = torch.ones(len(labels), dtype=torch.bool)
    queries[support] = False
    classifier = FewShotClassifier(head, scale).fit(
        ClassSet(torch.arange(len(named)), named),
        SupportSet(support, labels[support], both[support]),
    )
    answered = classifier.answer(both[queries], 0).probabilities.argmax(dim=1)
    return (answered == labels[queries]).float().mean().item()
