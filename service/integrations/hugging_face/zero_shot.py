"""Zero-shot classification: an image compared with texts, by no classifier."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import torch

from service.api.predicting import both
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.encoding.recipes import RecipeGone
from service.images.uploaded import UploadedImage
from service.problems import ChangedMeanwhile
from service.registry.class_texts import TextsNeeded

# Each failure is the database's move to another recipe.
_ATTEMPTS = 3


async def zero_shot(
    parts: ServiceParts,
    image: UploadedImage,
    labels: Sequence[str],
    template: str | None,
    key: str,
    wait: Wait,
) -> list[tuple[str, float]]:
    """Labels with their probabilities, the best first.

    The probability is CLIP's: the softmax of the cosines at the encoder's logit scale.

    Args:
        parts: Of the service.
        image: The image.
        labels: Two or more, no two of them the same.
        template: A sentence around a label, whose place is ``{}``; None: the encoder's own ones.
        key: Its requests take turns with those of others.
        wait: Waits for the encoder; when it raises, what is not begun is not done.

    Raises:
        Overloaded: Too much waits already.
        ChangedMeanwhile: The database moves to another recipe.
    """
    needed = TextsNeeded(() if template is None else (template,), list(labels))
    for _ in range(_ATTEMPTS):
        fingerprint = parts.store.fingerprint
        try:
            rows, texts = await both(
                parts.embedder.query([image], key, wait, fingerprint),
                parts.texts.embed(needed, key, wait),
            )
        except RecipeGone:  # the database has just moved to another one
            await asyncio.sleep(0)
            continue
        columns = torch.stack([texts.rows[label] for label in labels])
        logits = parts.backbone.logit_scale * (rows.frozen[0].float() @ columns.float().T)
        ranked = logits.softmax(dim=0).sort(descending=True, stable=True)
        pairs = zip(ranked.indices.tolist(), ranked.values.tolist(), strict=True)
        return [(labels[i], probability) for i, probability in pairs]
    raise ChangedMeanwhile(
        "The database moved to another recipe while the image was embedded. Send it again.",
        headers={"retry-after": "1"},
    )
