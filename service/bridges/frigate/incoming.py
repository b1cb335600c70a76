"""Incoming messages: a bounded queue in which the newest wins, and nothing large ever stands."""

from __future__ import annotations

import asyncio

from aiomqtt import Message

MOST_MESSAGES = 64
"""Messages that wait at a time."""
MOST_BYTES = 256 * 2**10
"""Bytes of a message. The broker is asked to send no larger one (MQTT 5, Maximum Packet Size)."""


class NewestMessages(asyncio.Queue[Message]):
    """A queue that drops what has waited longest, where others would block or refuse.

    What is too large for a message of Frigate, or was kept by the broker from some time ago
    (retained, which Frigate's events never are), is dropped at once.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize or MOST_MESSAGES)
        self.dropped = 0

    def put_nowait(self, item: Message) -> None:
        """Take a message in."""
        if item.retain or not isinstance(item.payload, bytes) or len(item.payload) > MOST_BYTES:
            self.dropped += 1
            return
        if self.full():
            self.get_nowait()
            self.dropped += 1
        super().put_nowait(item)
