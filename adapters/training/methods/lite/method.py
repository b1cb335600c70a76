"""`lite`'s projections as a training method, with steps of its own.

No image takes part: the classifier of the image tower stands for images, the names of its
classes for captions. Generic images, where there are any, only measure the result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.backbones.lite.model import build_towers, tokenizer
from adapters.backbones.lite.pinned_files import TOWER_FILES
from adapters.backbones.lite.tower_weights import image_tower_state
from adapters.training.methods.lite.class_names import PROMPTS, class_names, prompts
from adapters.training.methods.lite.config import LiteConfig
from adapters.training.methods.lite.generic_figures import LabelledFeatures, measure
from adapters.training.methods.lite.model import ClassTexts, Projections, centred_rows
from adapters.training.methods.lite.objective import learn


@dataclass(frozen=True, slots=True)
class LiteMethod:
    """Projections by kernel ridge regression and contrastive steps with m²-Mix; docs/lite.md.

    Attributes:
        config: How to learn.
        seed: Decides every random draw.
    """

    config: LiteConfig = field(default_factory=LiteConfig)
    seed: int = 0

    def build(self, report: Callable[[float], None] = lambda _share: None) -> LiteTraining:
        """Load both towers and embed the names of the 1000 classes.

        Args:
            report: Called with the share of the names that is done.

        Raises:
            WeightsUnavailable: A file of a tower is missing or not the expected one.
        """
        towers = build_towers()
        rows = centred_rows(image_tower_state()["classifier.weight"])
        encode = _text_encoder(towers)
        texts = _class_texts(encode, report)
        return LiteTraining(self, towers.visual.trunk, rows, texts, encode)


@dataclass(frozen=True, slots=True)
class LiteTraining:
    """Everything that the projections are learned from.

    Attributes:
        method: How.
        trunk: The image tower before its projection.
        rows: (1000, 1280) `centred_rows` of its classifier.
        texts: The names of the 1000 classes.
        encode: n texts to (n, w) unit vectors before their projection.
    """

    method: LiteMethod
    trunk: nn.Module
    rows: Tensor
    texts: Sequence[ClassTexts]
    encode: Callable[[Sequence[str]], Tensor]

    def learn(self, report: Callable[[int, float], None]) -> Projections:
        """Learn the projections; see :func:`adapters.training.methods.lite.objective.learn`."""
        return learn(self.rows, self.texts, self.method.config, self.method.seed, report)

    def measure(
        self, caltech: LabelledFeatures, imagenet: LabelledFeatures
    ) -> dict[str, dict[str, dict[str, float]]]:
        """Figures beside variants without m²-Mix and without the contrastive steps.

        Args:
            caltech: Features of ``caltech101``.
            imagenet: Features of images of ImageNet classes, named by WordNet id.
        """
        config = self.method.config
        variants = {
            "as shipped": config,
            "without m2-Mix": dataclasses.replace(config, mix_weight=0.0),
            "closed form only": dataclasses.replace(config, steps=0),
            "contrastive from a random start": dataclasses.replace(
                config, closed_form=False, steps=300, learning_rate=2e-3
            ),
        }
        return measure(
            caltech, imagenet, self.rows, self.texts, self.encode, variants, self.method.seed
        )

    def record(self) -> Mapping[str, Any]:
        """What the projections are learned from, as JSON can hold it."""
        return {
            "seed": self.method.seed,
            "settings": dataclasses.asdict(self.method.config),
            "data": {
                "images": "none: rows of the ImageNet-1k classifier of EfficientNet-Lite0, "
                "plus noise",
                "texts": "class names of open_clip and WordNet synonyms of timm",
                "prompts": list(PROMPTS),
            },
            "tower_files": {
                f"{file.distribution}: {file.path}": file.sha256 for file in TOWER_FILES
            },
        }


def _text_encoder(model: Any) -> Callable[[Sequence[str]], Tensor]:
    tower = model.text
    tower.proj = nn.Identity()
    tokenize = tokenizer()

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        return normalize(tower(tokenize(texts)), dim=-1)

    return encode


def _class_texts(
    encode: Callable[[Sequence[str]], Tensor], report: Callable[[float], None]
) -> list[ClassTexts]:
    wordings = [prompts(names) for names in class_names()]
    every = [text for texts in wordings for text in texts]
    # Texts of like length share a batch, which leaves little padding to compute.
    order = sorted(range(len(every)), key=lambda i: len(every[i]))
    blocks = []
    for first in range(0, len(order), 128):
        blocks.append(encode([every[i] for i in order[first : first + 128]]))
        report(min(first + 128, len(order)) / len(order))
    features = torch.cat(blocks)[torch.argsort(torch.tensor(order))]
    parts = torch.split(features, [len(texts) for texts in wordings])
    return [ClassTexts(part, normalize(part[: len(PROMPTS)].mean(dim=0), dim=-1)) for part in parts]
