"""Support images that are similar to something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handful_client._sync.concurrency import in_thread
from handful_client._sync.named import Named
from handful_client.batches import Item, upload
from handful_client.calls import Call, json_call
from handful_client.images import ImageLike, read_image
from handful_client.models import SimilarImageOut, SimilarOut, SimilarToText

_PAGE = 1000


class Similar(Named):
    """What a classifier's images are like."""

    def similar(self, image: ImageLike, *, n: int = 10) -> list[SimilarImageOut]:
        """The support images nearest to an image, by the corrected embedding.

        Args:
            image: As for ``predict``.
            n: How many, at most.
        """
        item = Item(0, in_thread(read_image, image))
        return self._nearest(upload(self._path("similar"), {}, [item]), n)

    def similar_to_text(
        self, text: str, *, templates: Sequence[str] = (), n: int = 10
    ) -> list[SimilarImageOut]:
        """The support images of what a text says, by the frozen embedding.

        Args:
            text: What they should show.
            templates: Texts with ``{}``, into each of which it is written.
            n: How many, at most.
        """
        asked = SimilarToText(text=text, templates=list(templates) or None)
        document = asked.model_dump(exclude_none=True)
        call = json_call("POST", self._path("similar"), document, reads=True)
        return self._nearest(call, n)

    def _nearest(self, call: Call, n: int) -> list[SimilarImageOut]:
        found: list[SimilarImageOut] = []
        cursor: str | None = None
        while len(found) < n:
            query = {"limit": min(_PAGE, n - len(found)), "cursor": cursor}
            page = self._transport.model(SimilarOut, replace(call, query=query))
            found += page.images
            if (cursor := page.next_cursor) is None:
                break
        return found
