"""The inbox of a classifier: queries that it was told to remember, judged by people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from handful_client._async.named import AsyncNamed
from handful_client.calls import Call, Query, json_call
from handful_client.models import AccuracyOverTime, InboxActionOut, InboxOut, RememberedOut


class AsyncInbox(AsyncNamed):
    """What a classifier remembers, as its setting ``remember`` says."""

    async def inbox(
        self, *, label: str | None = None, known: bool | None = None
    ) -> AsyncIterator[RememberedOut]:
        """Remembered queries, the newest first.

        Args:
            label: Only those that were answered with it.
            known: Only those that were answered as known, or not.
        """
        cursor: str | None = None
        while True:
            query: Query = {"label": label, "known": known, "cursor": cursor, "limit": 100}
            page = await self._transport.model(InboxOut, Call("GET", self._path("inbox"), query))
            for one in page.items:
                yield one
            if (cursor := page.next_cursor) is None:
                return

    async def remembered(self, item_id: str) -> RememberedOut:
        """A remembered query."""
        return await self._transport.model(RememberedOut, Call("GET", self._path("inbox", item_id)))

    async def remembered_image(self, item_id: str) -> bytes:
        """The picture of a remembered query, as it was sent."""
        return await self._transport.content(Call("GET", self._path("inbox", item_id, "image")))

    async def remembered_thumbnail(self, item_id: str) -> bytes:
        """The picture of a remembered query made small: a JPEG of 256 pixels a side at most."""
        return await self._transport.content(Call("GET", self._path("inbox", item_id, "thumbnail")))

    async def confirm(self, item_id: str) -> InboxActionOut:
        """The answer was right; nothing is registered."""
        return await self._judge(item_id, "confirm")

    async def correct(self, item_id: str, label: str, *also: str) -> InboxActionOut:
        """The picture is of that class, registered there; and of others, of several."""
        return await self._judge(item_id, "correct", label, also)

    async def reject(self, item_id: str) -> InboxActionOut:
        """The picture is of no class, and is registered as an explicit negative."""
        return await self._judge(item_id, "reject")

    async def forget(self, item_id: str) -> InboxActionOut:
        """The query is forgotten, and counts nowhere."""
        return await self._judge(item_id, "delete")

    async def accuracy(self, *, days: int = 7, windows: int = 8) -> AccuracyOverTime:
        """Accuracy over time, by what was confirmed, corrected and rejected.

        Args:
            days: Of a window.
            windows: How many, up to now.
        """
        query: Query = {"days": days, "windows": windows}
        call = Call("GET", self._path("inbox", "accuracy"), query)
        return await self._transport.model(AccuracyOverTime, call)

    async def _judge(
        self, item_id: str, action: str, label: str | None = None, also: Sequence[str] = ()
    ) -> InboxActionOut:
        asked: dict[str, Any] = {"action": action}
        if label is not None:
            asked["label"] = label
        if also:
            asked["also"] = list(also)
        call = json_call("POST", self._path("inbox", item_id), asked)
        return await self._transport.model(InboxActionOut, call)
