"""What a classifier was, and undo."""

from __future__ import annotations

from collections.abc import AsyncIterator

from handful_client._async.named import AsyncNamed
from handful_client.calls import Call, Query, waiting
from handful_client.models import ClassifierOut, HistoryOut, PastChangeOut

# Changes of a page.
_PAGE = 200


class AsyncHistory(AsyncNamed):
    """Changes of a classifier, and the way back."""

    async def history(self) -> AsyncIterator[PastChangeOut]:
        """Changes of settings, classes and images, the last first."""
        cursor: str | None = None
        while True:
            query = {"limit": _PAGE, "cursor": cursor}
            call = Call("GET", self._path("history"), query)
            page = await self._transport.model(HistoryOut, call)
            for one in page.changes:
                yield one
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def revert(self, to: int, *, wait_tuned: bool = False) -> ClassifierOut:
        """Bring back what it was, as one more change.

        Args:
            to: The ``revision`` of a change of the history, after which it was so.
            wait_tuned: Answer once it is tuned, within a time that the service sets.
        """
        query: Query = {"to": to, **waiting(wait_tuned)}
        call = Call("POST", self._path("revert"), query, same=True)
        return await self._transport.model(ClassifierOut, self._changing(call))

    async def forget_history(self) -> None:
        """Delete for good what was removed, with its bytes."""
        call = Call("DELETE", self._path("history"))
        await self._transport.content(self._changing(call))
