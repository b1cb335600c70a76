"""``handful bridge frigate`` as a process, and somebody who speaks by the broker."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.service.bridges.mosquitto import Mosquitto
from tests.service.forked import ForkedHandful

_numbers = itertools.count(1)
PATIENCE = 60.0


def until(holds: Callable[[], object], what: Callable[[], str] = str) -> None:
    """Wait until something holds; where it does not, ``what`` is shown."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)


def new_id() -> str:
    """An event's, as Frigate makes them."""
    return f"1607123955.{next(_numbers):06}-mxklsc"


@dataclass
class Broker:
    """A connection of somebody else: Frigate's, Home Assistant's, or a stranger's."""

    client: Client
    retained: dict[str, str] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)

    def event(self, event: str, kind: str = "update", **after: Any) -> None:
        """A message of ``frigate/events``, as Frigate writes it."""
        taken = after.pop("taken", None)
        state = {
            "id": event,
            "camera": "front",
            "frame_time": 1607123962.082975,
            "snapshot": None if taken is None else {"frame_time": taken, "score": 0.7},
            "label": "person",
            "sub_label": None,
            "false_positive": False,
            "end_time": None,
            "box": [432, 496, 544, 854],
            "current_zones": ["yard"],
            "attributes": {"face": 0.86},
            **after,
        }
        self.say(json.dumps({"type": kind, "before": state, "after": state}))

    def say(self, payload: str | bytes, topic: str = "frigate/events", qos: int = 1) -> None:
        self.client.publish(topic, payload, qos).wait_for_publish(PATIENCE)


@contextmanager
def speaking(broker: Mosquitto) -> Iterator[Broker]:
    """Somebody who hears all but Frigate's events."""
    client = Client(CallbackAPIVersion.VERSION2)
    if broker.user:
        client.username_pw_set(broker.user, broker.password)
    there = Broker(client)

    def hear(_: Client, __: object, message: MQTTMessage) -> None:
        if message.topic != "frigate/events":
            there.retained[message.topic] = message.payload.decode()
            there.history.append((message.topic, message.payload.decode()))

    client.on_message = hear

    def listen(*_: object) -> None:
        client.subscribe("#", 1)

    client.on_connect = listen
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        yield there
    finally:
        client.disconnect()
        client.loop_stop()


@dataclass
class Bridge:
    """The running command."""

    process: ForkedHandful
    log: Path

    @classmethod
    def started(cls, folder: Path, *options: str, **settings: object) -> Bridge:
        log = folder / f"bridge-{next(_numbers)}.log"
        kept = {name: value for name, value in os.environ.items() if "HANDFUL" not in name}
        given = {f"HANDFUL_{name.upper()}": str(value) for name, value in settings.items()}
        return cls(ForkedHandful(["bridge", "frigate", *options], kept | given, log, log), log)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def told(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE)
