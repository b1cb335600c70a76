"""How the two projections are learned: from classifier rows and names, without an image.

These steps are not those of the common loop: a batch is drawn from one stream of random numbers
in memory, by Adam under a one-cycle schedule, within seconds, so that there are no examples to
shuffle, no epochs and nothing to resume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.training.methods.lite.config import LiteConfig
from adapters.training.methods.lite.model import (
    ClassTexts,
    Projections,
    closed_form,
    gaussian,
    random_start,
)
from adapters.training.methods.mixup.losses import clip_loss, m2_mix


def learn(
    rows: Tensor,
    texts: Sequence[ClassTexts],
    config: LiteConfig,
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
        config: See `LiteConfig`.
        seed: Decides the prompts, the noise and λ.
        report: Called with the number of steps done and the loss of the last one.
    """
    generator = torch.Generator().manual_seed(seed)
    if config.closed_form:
        start = closed_form(rows, texts, config)
    else:
        start = random_start(rows, texts, config, generator)
    image = start.image.clone().requires_grad_()
    values = start.values.clone().requires_grad_()
    log_scale = torch.tensor(config.initial_scale).log().requires_grad_()
    rates = [config.learning_rate, config.scale_learning_rate]
    optimiser = torch.optim.Adam(
        [{"params": [image, values], "lr": rates[0]}, {"params": [log_scale], "lr": rates[1]}]
    )
    if config.steps:
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rates, total_steps=config.steps, pct_start=0.1
        )
    shares = np.random.default_rng(seed)
    for step in range(config.steps):
        drawn = torch.randperm(len(rows), generator=generator)[: config.batch]
        features = torch.stack([_one_of(texts[i].features, generator) for i in drawn.tolist()])
        noise = torch.randn(len(drawn), rows.shape[1], generator=generator)
        pixels = rows[drawn] + config.noise * normalize(noise, dim=-1)
        images = normalize(pixels @ image.T, dim=-1)
        kernels = gaussian(features, start.centres, config.sharpness)
        named = normalize(kernels @ values, dim=-1)
        scale = log_scale.exp()
        loss = clip_loss(images, named, scale)
        if config.mix_weight:
            share = float(shares.beta(config.mix_shape, config.mix_shape))
            loss = loss + config.mix_weight * m2_mix(images, named, share, scale)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        report(step + 1, loss.item())
    return Projections(
        image.detach(),
        start.centres,
        values.detach(),
        config.sharpness,
        float(log_scale.detach().exp()),
    )


def _one_of(features: Tensor, generator: torch.Generator) -> Tensor:
    return features[int(torch.randint(len(features), (), generator=generator))]
