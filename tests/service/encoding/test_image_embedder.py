"""An embedder that is closed once nobody needs it any more."""

from __future__ import annotations

import asyncio

from adapters.backbones.backbone import Backbone
from adapters.embeddings import ImageEmbeddings
from service.encoding.fair_queue import Priority
from service.encoding.image_embedder import ImageEmbedder
from service.images.uploaded import UploadedImage
from service.settings import Settings
from tests.service.pictures import picture


def test_a_job_that_rests_is_waited_for(backbone: Backbone) -> None:
    # Its tenant's queries are refused until just before the embedder is closed.
    embedder = ImageEmbedder(backbone, Settings())
    refused = [True]
    embedder._admission.sheds = lambda key, priority: refused[0]  # type: ignore[method-assign]

    async def close_while_it_rests() -> None:
        image = UploadedImage("0.png", lambda: picture(1))
        job = asyncio.create_task(embedder.ask_each([image], "a"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(embedder.close_when_idle))
        await asyncio.sleep(0.3)
        assert not closing.done()
        assert embedder._batcher.waiting[Priority.JOBS] == 0
        refused[0] = False
        [answer] = await asyncio.wait_for(job, 30)
        assert isinstance(answer, ImageEmbeddings)
        await asyncio.wait_for(closing, 30)

    asyncio.run(close_while_it_rests())
