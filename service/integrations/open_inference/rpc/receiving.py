"""Messages received, no more of them at a time than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from service.access.principal import Principal
from service.api.limiters import TenantLimiters
from service.api.middleware.bytes_in_flight import Account
from service.problems import InvalidRequest, Overloaded, RequestTimeout
from service.settings import Settings

# Seconds for which a call waits for a place, and after which it is asked to try again.
_PATIENCE = 3
_RETRY_SECONDS = 2


class Receiving:
    """What receives messages of calls by those who may make them.

    Over HTTP bytes count as they come; how large a message is that is being received, gRPC does not
    tell before all of it is there. So only as many are received at a time as fit where each is as
    large as may be; small ones are there at once. Of these places a tenant has three quarters and a
    key half, so that no one of them who sends slowly holds up all others. For the event loop's
    thread.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: Settings) -> None:
        places = max(1, settings.max_bytes_in_flight // settings.grpc_max_message_bytes)
        self._places = asyncio.Semaphore(places)
        self._of_tenants = TenantLimiters(max(1, places * 3 // 4))
        self._of_keys = TenantLimiters(max(1, places // 2))
        self._seconds = settings.stall_seconds

    async def received(
        self, messages: AsyncIterator[bytes], account: Account, principal: Principal | None
    ) -> bytes:
        """The one message of a call.

        Args:
            messages: Of the call.
            account: Of what it holds in memory, from then on.
            principal: Who it is from; None: the service asks for no keys.

        Raises:
            InvalidRequest: There is none.
            RequestTimeout: It does not come.
            Overloaded: There is no place for it, or it does not fit beside what others hold.
        """
        async with self._place(principal):
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

    @asynccontextmanager
    async def _place(self, principal: Principal | None) -> AsyncIterator[None]:
        """A place of the principal's; always in this order, so nobody waits for each other."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(_PATIENCE):
                    if principal is not None:
                        who = f"{principal.tenant}/{principal.key_id or principal.user or ''}"
                        await held.enter_async_context(self._of_keys.of(who))
                        await held.enter_async_context(self._of_tenants.of(principal.tenant))
                    await held.enter_async_context(self._places)
            except TimeoutError as error:
                raise Overloaded(
                    "As many messages are being received as there is room for"
                    " (HANDFUL_MAX_BYTES_IN_FLIGHT by HANDFUL_GRPC_MAX_MESSAGE_BYTES). Send the"
                    f" request again in {_RETRY_SECONDS} s.",
                    headers={"retry-after": str(_RETRY_SECONDS)},
                ) from error
            yield
