"""The broker: a connection that comes back, by which events come in and states go out."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

from aiomqtt import Client, MqttError, ProtocolVersion, Will
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_exponential_jitter,
)

from service.bridges.frigate.home_assistant import availability_topic
from service.bridges.frigate.incoming import MOST_BYTES, NewestMessages
from service.bridges.frigate.settings import PORTS, BridgeSettings

logger = logging.getLogger("handful.bridge")

_TIMEOUT = 10.0
_KEEP_ALIVE = 30
_FAREWELL = 2.0
# Of a broker that takes a connection and ends it at once.
_PAUSE = 1.0
# Reason codes of MQTT 5 that no patience mends: not authorised, a wrong name or password.
_REFUSED = frozenset({0x86, 0x87})


class BrokerError(Exception):
    """The broker cannot be used with these settings."""


class Broker:
    """A connection to the broker.

    Args:
        settings: Where it is, and who asks.
        take: Gets the payloads of Frigate's events; must not block.
    """

    def __init__(self, settings: BridgeSettings, take: Callable[[bytes], None]) -> None:
        self._settings = settings
        self._take = take
        self._retained: dict[str, str] = {}
        self._unsent: dict[str, None] = {}
        self._news, self._sent = asyncio.Event(), asyncio.Event()
        self._sent.set()

    def retain(self, topic: str, payload: str) -> None:
        """Have the broker keep a message; sent as soon as it is there, and the newest alone.

        As many are remembered as there are topics.
        """
        self._retained[topic] = payload
        self._unsent[topic] = None
        self._sent.clear()
        self._news.set()

    async def settled(self, seconds: float) -> None:
        """Wait until everything is sent, within that time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._sent.wait()

    async def run(self) -> None:
        """Keep the connection until cancelled, which says farewell.

        Raises:
            BrokerError: It refuses who asks, or the topic.
        """
        while True:
            async with AsyncExitStack() as stack:
                client = await self._connected(stack)
                logger.info("connected to %s", self._settings.mqtt_url)
                try:
                    await self._session(client)
                except* MqttError as group:
                    logger.warning("the broker is gone: %s", group.exceptions[0])
            await asyncio.sleep(_PAUSE)

    async def _connected(self, stack: AsyncExitStack) -> Client:
        """A connection, however long it takes."""
        retrying = AsyncRetrying(
            wait=wait_exponential_jitter(initial=1, max=60),
            retry=retry_if_exception_type(MqttError),
            before_sleep=_tell,
        )
        return await retrying(self._connect, stack)

    async def _connect(self, stack: AsyncExitStack) -> Client:
        try:
            return await stack.enter_async_context(_Connection(self._client()))
        except MqttConnectError as error:
            if getattr(error.rc, "value", error.rc) in _REFUSED:
                raise BrokerError(
                    f"{self._settings.mqtt_url} refuses the bridge: {error}. Give its name and"
                    " password by HANDFUL_MQTT_USERNAME and HANDFUL_MQTT_PASSWORD"
                ) from error
            raise

    def _client(self) -> Client:
        settings = self._settings
        url = urlsplit(settings.mqtt_url)
        secure = url.scheme == "mqtts"
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.MaximumPacketSize = MOST_BYTES
        password = settings.mqtt_password
        return Client(
            url.hostname or "",
            url.port or PORTS[url.scheme],
            username=settings.mqtt_username,
            password=None if password is None else password.get_secret_value(),
            protocol=ProtocolVersion.V5,
            properties=properties,
            will=Will(availability_topic(settings.mqtt_topic), "offline", qos=1, retain=True),
            queue_type=NewestMessages,
            tls_context=ssl.create_default_context() if secure else None,
            timeout=_TIMEOUT,
            keepalive=_KEEP_ALIVE,
            logger=logger.getChild("mqtt"),
        )

    async def _session(self, client: Client) -> None:
        available = availability_topic(self._settings.mqtt_topic)
        topic = f"{self._settings.frigate_topic}/events"
        try:
            for granted in await client.subscribe(topic, qos=0):
                if getattr(granted, "value", granted) >= 0x80:
                    raise BrokerError(
                        f"the broker lets nobody of that name read {topic}: {granted}"
                    )
            self._unsent |= dict.fromkeys(self._retained)  # whoever restarted may have lost them
            self._news.set()
            await client.publish(available, "online", qos=1, retain=True)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send(client))
                group.create_task(self._receive(client))
        except asyncio.CancelledError:
            with suppress(MqttError):
                await client.publish(available, "offline", qos=1, retain=True, timeout=_FAREWELL)
            raise

    async def _receive(self, client: Client) -> None:
        async for message in client.messages:
            if isinstance(message.payload, bytes):
                self._take(message.payload)

    async def _send(self, client: Client) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._unsent:
                topic = next(iter(self._unsent))
                payload = self._retained[topic]
                await client.publish(topic, payload, qos=1, retain=True)
                if self._retained[topic] == payload:
                    self._unsent.pop(topic, None)
            self._sent.set()


class _Connection:
    """A client's connection, whose end is no second error where the connection has broken."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def __aenter__(self) -> Client:
        return await self._client.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        with suppress(MqttError):
            await self._client.__aexit__(None, None, None)


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    seconds = 0.0 if state.next_action is None else state.next_action.sleep
    logger.warning("no broker: %s; again in %.0f s", error, seconds)
