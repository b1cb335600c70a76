"""A bridge at work: a real broker, a real service, and a stand-in for Frigate's HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.service.bridges.frigate import Event, FrigateStandIn, frigate
from tests.service.bridges.mosquitto import PROGRAM, Mosquitto, broker
from tests.service.bridges.running import Bridge, Broker, new_id, speaking, until
from tests.service.client import Classifier
from tests.service.colours import coloured
from tests.service.pictures import encoded
from tests.service.server import Server

# What pictures of a colour are registered as.
NAMES = {"navy": "Ann", "white": "Bob"}


def picture(colour: str, seed: int = 9) -> bytes:
    return encoded(coloured(colour, seed), "JPEG", quality=95)


def pictures(text: str) -> list[bytes]:
    """``nnw-`` for two of navy, one of white, and one that is nobody's."""
    of = {"n": "navy", "w": "white", "-": "red"}
    return [picture(of[one], 20 + place) for place, one in enumerate(text)]


@pytest.fixture(scope="session")
def visitors(spare: Server) -> str:
    """The name of a classifier that knows Ann and Bob, and that red ones are neither."""
    with spare.client() as http:
        made = Classifier(http, "visitors.v1")
        made.put().raise_for_status()
        for colour, name in (*NAMES.items(), ("red", "not-these")):
            made.post(name, *(picture(colour, seed) for seed in range(6))).raise_for_status()
    return made.name


@dataclass
class Place:
    """All of them together."""

    bridge: Bridge
    broker: Broker
    frigate: FrigateStandIn
    mosquitto: Mosquitto
    classifier: str

    def topic(self, camera: str = "front") -> str:
        return f"handful/{camera}/{self.classifier}"

    def add(self, shown: str, camera: str = "front") -> str:
        """The id of a new event of Frigate with these pictures."""
        event = new_id()
        self.frigate.events[event] = Event(camera, pictures(shown))
        return event

    def follow(self, event: str, times: int = 3, **after: Any) -> None:
        """Tell of an event so often, each time when the picture before is taken."""
        camera = after.pop("camera", self.frigate.events[event].camera)
        for _ in range(times):
            self.attempt(event, camera=camera, **after)
        self.passed(camera)

    def attempt(self, event: str, **after: Any) -> None:
        """Tell of an event, and wait until a picture of it is taken."""
        there = self.frigate.events[event]
        seen = there.shown
        self.broker.event(event, **after)
        until(lambda: there.shown > seen, self.bridge.told)

    def passed(self, camera: str = "front") -> None:
        """Wait until the bridge has followed all that it was told of a camera."""
        barrier = self.add("nnn", camera)
        for _ in range(3):
            self.attempt(barrier, camera=camera)
        until(lambda: self.frigate.events[barrier].sub_label == "Ann", self.bridge.told)


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, spare: Server, visitors: str
) -> Iterator[Place]:
    if not PROGRAM.exists():
        pytest.skip(f"the bridge needs the broker Mosquitto, which is not at {PROGRAM}")
    folder = tmp_path_factory.mktemp("bridge")
    with (
        broker(folder) as mosquitto,
        frigate() as there,
        speaking(mosquitto) as heard,
        Bridge.started(
            folder,
            *("--classifier", f"person={visitors}"),
            url=spare.url,
            mqtt_url=mosquitto.url,
            frigate_url=there.url,
        ) as bridge,
    ):
        until(lambda: heard.retained.get("handful/availability") == "online", bridge.told)
        until(lambda: sum("/config" in topic for topic in heard.retained) == 2, bridge.told)
        yield Place(bridge, heard, there, mosquitto, visitors)
        assert bridge.stop() == 0
        until(lambda: heard.retained.get("handful/availability") == "offline")
    assert "Traceback" not in bridge.told()
