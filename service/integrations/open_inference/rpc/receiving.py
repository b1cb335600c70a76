"""Messages received, no more of them at a time than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from service.api.middleware.bytes_in_flight import Account
from service.problems import InvalidRequest, RequestTimeout
from service.settings import Settings


class Receiving:
    """What receives messages of calls.

    Over HTTP bytes count as they come; how large a message is that is being received, gRPC does not
    tell before all of it is there. So only as many are received at a time as fit where each is as
    large as may be; small ones are there at once. For the event loop's thread.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: Settings) -> None:
        most = settings.max_bytes_in_flight // settings.grpc_max_message_bytes
        self._places = asyncio.Semaphore(max(1, most))
        self._seconds = settings.stall_seconds

    async def received(self, messages: AsyncIterator[bytes], account: Account) -> bytes:
        """The one message of a call.

        Args:
            messages: Of the call.
            account: Of what it holds in memory, from then on.

        Raises:
            InvalidRequest: There is none.
            RequestTimeout: It does not come.
            Overloaded: It does not fit beside what others hold.
        """
        async with self._places:
            try:
                async with asyncio.timeout(self._seconds):
                    message = await anext(messages, None)
            except TimeoutError as error:
                raise RequestTimeout(
                    f"The message was not there after {self._seconds:g} s (HANDFUL_STALL_SECONDS)."
                ) from error
        if message is None:
            raise InvalidRequest("The call has no message.")
        account.take(len(message))
        return message
