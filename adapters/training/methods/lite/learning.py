"""How the two projections are learned: from classifier rows and names, without an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.backbones.lite.projections import EMBED_DIM
from adapters.training.methods.mixup.losses import clip_loss, m2_mix


@dataclass(frozen=True, slots=True)
class Settings:
    """How to learn; the defaults were chosen on generic images alone (caltech101, ImageNet).

    Attributes:
        sharpness: Of the text kernels, 1/σ² for σ = 0.4 on the sphere.
        ridge: Penalty of the kernel ridge regression.
        closed_form: Begin from kernel ridge regression; otherwise from random weights.
        steps: Contrastive steps.
        batch: Classes in a step.
        learning_rate: Peak of the one-cycle schedule (Adam).
        noise: Length of the noise added to a classifier row of length 1. Three gives pseudo
            images the cosine with their row, 0.32, that centred real features have.
        mix_weight: Weight of the m²-Mix loss beside the CLIP loss.
        mix_shape: Both parameters of the Beta distribution of m²-Mix's λ.
        initial_scale: Logit scale to begin with.
        scale_learning_rate: Of the logarithm of the logit scale.
    """

    sharpness: float = 6.25
    ridge: float = 0.05
    closed_form: bool = True
    steps: int = 150
    batch: int = 500
    learning_rate: float = 2e-4
    noise: float = 3.0
    mix_weight: float = 0.5
    mix_shape: float = 0.5
    initial_scale: float = 20.0
    scale_learning_rate: float = 1e-2


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


def closed_form(rows: Tensor, texts: Sequence[ClassTexts], settings: Settings) -> Projections:
    """Return the projections that kernel ridge regression gives.

    The image projection spans the leading principal directions of the classifier rows and is
    orthonormal: it drops what no class depends on and keeps all other angles. The text
    projection maps a name to the image direction of its class.

    Args:
        rows: (c, 1280) `centred_rows`.
        texts: The names of the c classes.
        settings: See `Settings`.
    """
    centres = torch.stack([text.centre for text in texts])
    image = torch.linalg.svd(rows, full_matrices=False).Vh[:EMBED_DIM]
    kernel = gaussian(centres, centres, settings.sharpness).double()
    penalised = kernel + settings.ridge * torch.eye(len(kernel), dtype=torch.float64)
    values = torch.linalg.solve(penalised, (rows @ image.T).double()).float()
    return Projections(image, centres, values, settings.sharpness, settings.initial_scale)


def random_start(
    rows: Tensor, texts: Sequence[ClassTexts], settings: Settings, generator: torch.Generator
) -> Projections:
    """Return random projections, with one text kernel on each class's name."""
    image = torch.randn(EMBED_DIM, rows.shape[1], generator=generator) / rows.shape[1] ** 0.5
    values = torch.randn(len(texts), EMBED_DIM, generator=generator) / EMBED_DIM**0.5
    centres = torch.stack([text.centre for text in texts])
    return Projections(image, centres, values, settings.sharpness, settings.initial_scale)


def learn(
    rows: Tensor,
    texts: Sequence[ClassTexts],
    settings: Settings,
    seed: int,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> Projections:
    """Learn the projections: a start, then contrastive steps on pseudo images.

    A step pairs one prompt of each drawn class with a pseudo image, the class's row plus
    isotropic noise, under the CLIP loss and the m²-Mix loss. From the closed form, few gentle
    steps settle the logit scale and leave the geometry nearly as it was.

    Args:
        rows: (c, 1280) `centred_rows` of the classes to learn from.
        texts: The names of these classes.
        settings: See `Settings`.
        seed: Decides the prompts, the noise and λ.
        report: Called with the number of steps done and the loss of the last one.
    """
    generator = torch.Generator().manual_seed(seed)
    if settings.closed_form:
        start = closed_form(rows, texts, settings)
    else:
        start = random_start(rows, texts, settings, generator)
    image = start.image.clone().requires_grad_()
    values = start.values.clone().requires_grad_()
    log_scale = torch.tensor(settings.initial_scale).log().requires_grad_()
    rates = [settings.learning_rate, settings.scale_learning_rate]
    optimiser = torch.optim.Adam(
        [{"params": [image, values], "lr": rates[0]}, {"params": [log_scale], "lr": rates[1]}]
    )
    if settings.steps:
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rates, total_steps=settings.steps, pct_start=0.1
        )
    shares = np.random.default_rng(seed)
    for step in range(settings.steps):
        drawn = torch.randperm(len(rows), generator=generator)[: settings.batch]
        features = torch.stack([_one_of(texts[i].features, generator) for i in drawn.tolist()])
        noise = torch.randn(len(drawn), rows.shape[1], generator=generator)
        pixels = rows[drawn] + settings.noise * normalize(noise, dim=-1)
        images = normalize(pixels @ image.T, dim=-1)
        kernels = gaussian(features, start.centres, settings.sharpness)
        named = normalize(kernels @ values, dim=-1)
        scale = log_scale.exp()
        loss = clip_loss(images, named, scale)
        if settings.mix_weight:
            share = float(shares.beta(settings.mix_shape, settings.mix_shape))
            loss = loss + settings.mix_weight * m2_mix(images, named, share, scale)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        report(step + 1, loss.item())
    return Projections(
        image.detach(),
        start.centres,
        values.detach(),
        settings.sharpness,
        float(log_scale.detach().exp()),
    )


def _one_of(features: Tensor, generator: torch.Generator) -> Tensor:
    return features[int(torch.randint(len(features), (), generator=generator))]
