"""The bridge: broker, Frigate and a running service, put together."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import httpx2
from handful_client import AsyncClient

from service.bridges.frigate.broker import Broker
from service.bridges.frigate.camera_queues import CameraQueue
from service.bridges.frigate.cameras import Cameras
from service.bridges.frigate.classification import PATIENCE, SECONDS, classifying
from service.bridges.frigate.frigate_api import Frigate
from service.bridges.frigate.home_assistant import discovery, state
from service.bridges.frigate.recognition import Recognised, Recognition
from service.bridges.frigate.settings import BridgeSettings
from service.bridges.frigate.told_seldom import ToldSeldom
from service.bridges.frigate.tracked_objects import read_event
from service.bridges.frigate.voting import VotingRule

# For the object that each camera is at, when the bridge ends.
_LAST_SECONDS = 5.0


async def run(settings: BridgeSettings) -> None:
    """Run the bridge until SIGTERM or SIGINT.

    Raises:
        BrokerError: The broker refuses it.
    """
    key = None if settings.key is None else settings.key.get_secret_value()
    async with (
        httpx2.AsyncClient(limits=httpx2.Limits(max_connections=None)) as http,
        AsyncClient(settings.url, key=key, timeout=SECONDS, patience=PATIENCE) as client,
    ):
        bridge = _Bridge(settings, Frigate(settings.frigate_url, http), client)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await bridge.run(stop)


class _Bridge:
    def __init__(self, settings: BridgeSettings, frigate: Frigate, client: AsyncClient) -> None:
        self._settings = settings
        self._frigate = frigate
        self._classify = classifying(client)
        self._rule = VotingRule(settings.frigate_attempts, settings.frigate_agreement)
        self._seldom = ToldSeldom()
        self._broker = Broker(settings, self._take)
        self._cameras = Cameras(frigate, settings.frigate_cameras, self._announce, self._seldom)
        self._queues: dict[str, CameraQueue] = {}
        self._ends = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; then what each camera is at ends, and is told."""
        broker = asyncio.create_task(self._broker.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            self._cameras.begin()
            await asyncio.wait({broker, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._ends = True
            await asyncio.gather(*(one.end(_LAST_SECONDS) for one in self._queues.values()))
            if not broker.done():
                await self._broker.settled(_LAST_SECONDS)
        finally:
            self._cameras.end()
            stopping.cancel()
            broker.cancel()
            with suppress(asyncio.CancelledError):
                await broker

    def _take(self, payload: bytes) -> None:
        """A message of ``frigate/events``, whoever wrote it."""
        if self._ends:
            return
        try:
            tracked = read_event(payload)
        except ValueError as error:
            self._seldom.say("a message is none of Frigate's", error)
            return
        if tracked is None or tracked.label not in self._settings.frigate_classifiers:
            return
        if not self._cameras.has(tracked.camera):
            return
        if (queue := self._queues.get(tracked.camera)) is None:
            queue = self._queues[tracked.camera] = CameraQueue(
                self._recognition().follow, self._seldom
            )
        queue.put(tracked)

    def _recognition(self) -> Recognition:
        return Recognition(
            self._frigate,
            self._classify,
            self._settings.frigate_classifiers,
            self._rule,
            self._tell,
            self._seldom,
        )

    def _announce(self, camera: str) -> None:
        """Have Home Assistant know the sensors of a camera."""
        settings = self._settings
        for classifier in dict.fromkeys(settings.frigate_classifiers.values()):
            self._broker.retain(
                *discovery(settings.homeassistant_topic, settings.mqtt_topic, camera, classifier)
            )

    def _tell(self, said: Recognised) -> None:
        self._broker.retain(*state(self._settings.mqtt_topic, said))
