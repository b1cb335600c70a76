"""The two projections that are learned, and what they begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.backbones.lite.projections import EMBED_DIM
from adapters.training.methods.lite.config import LiteConfig


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """Text features of one class.

    Attributes:
        features: (t, w) features of all its prompts, unit vectors.
        centre: (w,) feature of its first name, a unit vector.
    """

    features: Tensor
    centre: Tensor


@dataclass(frozen=True, slots=True)
class Projections:
    """The learned part of `lite`.

    Attributes:
        image: (d, 1280) linear projection of pooled image features.
        centres: (c, w) kernels of the text projection.
        values: (c, d) what each kernel adds.
        sharpness: Of the kernels.
        logit_scale: Factor of the cosines.
    """

    image: Tensor
    centres: Tensor
    values: Tensor
    sharpness: float
    logit_scale: float

    def project_images(self, features: Tensor) -> Tensor:
        """Project (n, 1280) pooled features to (n, d) unit vectors."""
        return normalize(features @ self.image.T, dim=-1)

    def project_texts(self, features: Tensor) -> Tensor:
        """Project (n, w) text features to (n, d) unit vectors."""
        kernels = gaussian(normalize(features, dim=-1), self.centres, self.sharpness)
        return normalize(kernels @ self.values, dim=-1)

    def state(self) -> dict[str, Tensor]:
        """Return the parameters under their names in the open_clip model."""
        return {
            "visual.head.proj.weight": self.image.contiguous(),
            "text.proj.centres": self.centres.contiguous(),
            "text.proj.values": self.values.contiguous(),
            "text.proj.sharpness": torch.tensor(self.sharpness),
            "logit_scale": torch.tensor(self.logit_scale).log(),
        }


def gaussian(a: Tensor, b: Tensor, sharpness: float) -> Tensor:
    """Return the (n, m) Gaussian kernel of unit rows, ``exp(sharpness · (cos − 1))``."""
    return torch.exp(sharpness * (a @ b.T - 1))


def centred_rows(classifier: Tensor) -> Tensor:
    """Return classifier rows (c, 1280) less their mean, as unit vectors.

    The mean moves all logits alike and says nothing about a class.
    """
    return normalize(classifier - classifier.mean(dim=0), dim=-1)


def closed_form(rows: Tensor, texts: Sequence[ClassTexts], config: LiteConfig) -> Projections:
    """Return the projections that kernel ridge regression gives.

    The image projection spans the leading principal directions of the classifier rows and is
    orthonormal: it drops what no class depends on and keeps all other angles. The text
    projection maps a name to the image direction of its class.

    Args:
        rows: (c, 1280) `centred_rows`.
        texts: The names of the c classes.
        config: See `LiteConfig`.
    """
    centres = torch.stack([text.centre for text in texts])
    image = torch.linalg.svd(rows, full_matrices=False).Vh[:EMBED_DIM]
    kernel = gaussian(centres, centres, config.sharpness).double()
    penalised = kernel + config.ridge * torch.eye(len(kernel), dtype=torch.float64)
    values = torch.linalg.solve(penalised, (rows @ image.T).double()).float()
    return Projections(image, centres, values, config.sharpness, config.initial_scale)


def random_start(
    rows: Tensor, texts: Sequence[ClassTexts], config: LiteConfig, generator: torch.Generator
) -> Projections:
    """Return random projections, with one text kernel on each class's name."""
    image = torch.randn(EMBED_DIM, rows.shape[1], generator=generator) / rows.shape[1] ** 0.5
    values = torch.randn(len(texts), EMBED_DIM, generator=generator) / EMBED_DIM**0.5
    centres = torch.stack([text.centre for text in texts])
    return Projections(image, centres, values, config.sharpness, config.initial_scale)
