"""Texts embedded for whoever asks, as they are written."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adapters.backbones.backbone import ensemble
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.problems import RequestTooLarge

# Characters of all prompts together: a text tower's tokenizer reads some millions a second.
_MOST_CHARACTERS = 4 * 2**20
_AS_IT_IS = ("{}",)


async def embedded_texts(
    parts: ServiceParts,
    texts: Sequence[str],
    templates: Sequence[str],
    key: str,
    wait: Wait,
    prompts: str | None = None,
) -> Tensor:
    """(n, d) unit embeddings of n texts, comparable with frozen embeddings of images.

    Args:
        parts: Of the service.
        texts: One or more.
        templates: Each text is written into each of them, at the place of ``{}``, and the
            embeddings are averaged; none: as it is. Learned prompts stand in a template of their
            own.
        key: Its requests take turns with those of others.
        wait: Waits for the text tower; when it raises, what is not begun is not done.
        prompts: Fingerprint of embeddings under a classifier's prompts, to be compared with those;
            None: with the service's own.

    Raises:
        RequestTooLarge: There is too much of them.
        Overloaded: Too much waits already.
        RecipeGone: Nobody has the classifier's prompts any more.
    """
    encoder = parts.backbone if prompts is None else parts.embedder.encoder(prompts)
    written = encoder.templates_for(tuple(templates) or _AS_IT_IS)
    count, most = len(texts) * len(written), parts.settings.max_texts
    size = sum(map(len, texts)) * sum(one.count("{}") for one in written)
    size += len(texts) * sum(map(len, written))
    if count > most or size > _MOST_CHARACTERS:
        raise RequestTooLarge(
            f"{len(texts)} texts in {len(written)} templates are {count} texts of {size} "
            f"characters together; at most {most} (HANDFUL_MAX_TEXTS) of {_MOST_CHARACTERS} are "
            "accepted. Send several requests."
        )
    sentences = [template.replace("{}", text) for text in texts for template in written]
    rows = await parts.texts.embed_as_written(sentences, key, wait, prompts)
    return rows if len(written) == 1 else await run_blocking(ensemble, rows, len(written))
