"""Trained prompts of a tenant, which its classifiers may choose."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

from handful_client._async.transport import AsyncTransport
from handful_client.calls import Call, Query
from handful_client.models import PromptsList, PromptsOut

# Prompts of a page.
_PAGE = 100
_FILE_TYPE = "application/vnd.handful.prompts+safetensors"


class AsyncPrompts:
    """Trained prompts: uploaded, looked at, deleted."""

    _transport: AsyncTransport

    async def upload_prompts(self, name: str, file: str | os.PathLike[str]) -> PromptsOut:
        """Put the ``prompts.safetensors`` of ``handful train comma`` under a name.

        Args:
            name: What classifiers choose them by: ``put(prompts=name)``.
            file: Its path.
        """
        path = ("v1", "prompts", name)
        call = Call("PUT", path, file=Path(file), media_type=_FILE_TYPE, same=True)
        return await self._transport.model(PromptsOut, call)

    async def prompts(self) -> AsyncIterator[PromptsOut]:
        """All trained prompts of the tenant, by their names, page by page."""
        cursor: str | None = None
        while True:
            query: Query = {"limit": _PAGE, "cursor": cursor}
            page = await self._transport.model(PromptsList, Call("GET", ("v1", "prompts"), query))
            for one in page.prompts:
                yield one
            if (cursor := page.next_cursor) is None:
                return

    async def get_prompts(self, name: str) -> PromptsOut:
        """What trained prompts are, and which classifiers use them."""
        return await self._transport.model(PromptsOut, Call("GET", ("v1", "prompts", name)))

    async def delete_prompts(self, name: str) -> None:
        """Delete trained prompts that no classifier uses."""
        await self._transport.content(Call("DELETE", ("v1", "prompts", name)))
