"""What a classifier was, and undo."""

from __future__ import annotations

from collections.abc import Iterator

from handful_client._sync.named import Named
from handful_client.calls import Call, Query, waiting
from handful_client.models import ClassifierOut, HistoryOut, PastChangeOut

# Changes of a page.
_PAGE = 200


class History(Named):
    """Changes of a classifier, and the way back."""

    def history(self) -> Iterator[PastChangeOut]:
        """Changes of settings, classes and images, the last first."""
        cursor: str | None = None
        while True:
            query = {"limit": _PAGE, "cursor": cursor}
            call = Call("GET", self._path("history"), query)
            page = self._transport.model(HistoryOut, call)
            for one in page.changes:
                yield one
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def revert(self, to: int, *, wait_tuned: bool = False) -> ClassifierOut:
        """Bring back what it was, as one more change.

        Args:
            to: The ``revision`` of a change of the history, after which it was so.
            wait_tuned: Answer once it is tuned, within a time that the service sets.
        """
        query: Query = {"to": to, **waiting(wait_tuned)}
        call = Call("POST", self._path("revert"), query, same=True)
        return self._transport.model(ClassifierOut, self._changing(call))

    def forget_history(self) -> None:
        """Delete for good what was removed, with its bytes."""
        call = Call("DELETE", self._path("history"))
        self._transport.content(self._changing(call))
