"""Whatever happens to broker, Frigate and service, and whoever speaks to the bridge."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from tests.service.bridges.conftest import Place
from tests.service.bridges.frigate import _Handler, frigate
from tests.service.bridges.mosquitto import broker, needed
from tests.service.bridges.running import Bridge, new_id, speaking, until
from tests.service.server import Server

pytestmark = needed
_MIB = 2**20


def never(place: Place) -> Callable[[_Handler], None]:
    def act(_: _Handler) -> None:
        place.frigate.ends.wait(60)

    return act


def endless(handler: _Handler) -> None:
    """Bytes as long as anybody takes them."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(_MIB))
    except OSError:
        handler.close_connection = True


def elsewhere(handler: _Handler) -> None:
    handler.send(302, b"", {"location": "/api/config"})


def coded(handler: _Handler) -> None:
    handler.send(200, b"\x1f\x8b", {"content-encoding": "gzip"})


def failing(handler: _Handler) -> None:
    handler.send(500, b"{", {})


def hanging_up(handler: _Handler) -> None:
    handler.close_connection = True
    handler.connection.close()


@pytest.mark.parametrize("act", [endless, elsewhere, coded, failing, hanging_up])
def test_frigate_may_answer_whatever_it_likes(
    place: Place, act: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    event = place.add("nnn")
    place.frigate.hurdles[f"/api/events/{event}"] = act  # type: ignore[assignment]
    grown = psutil.Process(place.bridge.process.pid).memory_info().rss
    asked = len(place.frigate.asked)
    place.broker.event(event)
    place.passed("yard")  # which does not wait for it
    place.passed()
    grown = psutil.Process(place.bridge.process.pid).memory_info().rss - grown
    assert grown < 64 * _MIB
    assert sum(event in path for _, path in place.frigate.asked[asked:]) <= 3
    assert ("GET", "/api/config") not in place.frigate.asked[asked:]
    del place.frigate.hurdles[f"/api/events/{event}"]
    place.follow(event, 3)
    assert place.frigate.events[event].sub_label == "Ann"


def test_a_camera_that_gets_no_answer_holds_up_no_other(place: Place) -> None:
    event = place.add("nnn")
    place.frigate.hurdles[f"/api/events/{event}"] = never(place)  # type: ignore[assignment]
    asked = len(place.frigate.asked)
    place.broker.event(event)
    until(lambda: any(event in path for _, path in place.frigate.asked[asked:]))
    place.passed("yard")
    del place.frigate.hurdles[f"/api/events/{event}"]
    place.passed("front")  # once it has given up


def test_hostile_messages_cost_nobody_anything(place: Place, spare: Server) -> None:
    process = psutil.Process(place.bridge.process.pid)
    place.passed()
    before, asked = process.memory_info().rss, len(place.frigate.asked)
    real = {"camera": "front", "label": "person"}
    ids: list[object] = [
        "../../config",
        "..",
        "1607123955.4-a/../../../etc",
        "1607123955.4-a%2F..",
        "1607123955.4-a?crop=0",
        "x" * 10_000,
        "1607123955.4-a\x00",
        None,
        {"a": []},
    ]
    wrong: list[object] = [
        3,
        [],
        {},
        {"type": "update"},
        {"type": "update", "after": 3},
        {"type": "gone", "after": {"id": new_id(), **real}},
        *({"type": "update", "after": {"id": one, **real}} for one in ids),
        {"type": "update", "after": {"id": new_id(), "camera": "../front", "label": "person"}},
        {"type": "update", "after": {"id": new_id(), "camera": "+/#", "label": "person"}},
        {"type": "update", "after": {"id": new_id(), **real, "sub_label": {"a": 1}}},
    ]
    for one in wrong:
        place.broker.say(json.dumps(one))
    for raw in (b"", b"\xff\xfe", b"{" * 100_000, b"[" * 100_000, b"null", b'{"type":"update"'):
        place.broker.say(raw)
    for _ in range(3):
        place.broker.say(bytes(10 * _MIB))
        place.broker.say(b'{"type": "update", "after": {"id": "' + b"1" * 10 * _MIB + b'"}}')
    assert place.frigate.asked[asked:] == []
    with spare.client() as http:
        calls = _predictions(http)
        for number in range(5_000):  # as fast as they go, of cameras and events that are none
            camera = "front" if number % 2 else f"none-{number}"
            after = {"id": f"1607123956.{number:06}-mxklsc", "camera": camera, "label": "person"}
            place.broker.say(json.dumps({"type": "new", "after": after}), qos=0)
        place.passed("yard")
        place.passed("front")
        # Events that are none ask the service nothing: six of the barriers reached it.
        assert _predictions(http) - calls == 6
    assert process.memory_info().rss - before < 64 * _MIB
    asks = [path for _, path in place.frigate.asked[asked:]]
    assert sum(path == "/api/config" for path in asks) <= 1
    assert all(path.startswith(("/api/events/16071239", "/api/config")) for path in asks)
    assert not any("none" in topic for topic in place.broker.retained)
    log = place.bridge.told()
    assert log.count("none of Frigate's") <= 3
    assert "Traceback" not in log


def _predictions(http: httpx.Client) -> int:
    counted = [
        line.rpartition(" ")[2]
        for line in http.get("/metrics").text.splitlines()
        if line.startswith("http_server_request_duration_seconds_count{") and "/predict" in line
    ]
    return sum(int(float(number)) for number in counted)


def test_the_broker_may_go_and_come_back(tmp_path: Path, spare: Server, visitors: str) -> None:
    with broker(tmp_path) as mosquitto, frigate() as there:
        options = ("--classifier", f"person={visitors}", "--camera", "front")
        settings = {"url": spare.url, "mqtt_url": mosquitto.url, "frigate_url": there.url}
        with Bridge.started(tmp_path, *options, **settings) as bridge:
            with speaking(mosquitto) as heard:
                until(lambda: heard.retained.get("handful/availability") == "online", bridge.told)
                place = Place(bridge, heard, there, mosquitto, visitors)
                event = place.add("nnn")
                for _ in range(3):
                    place.attempt(event)
                until(lambda: event in heard.retained.get(place.topic(), ""), bridge.told)
            said = dict(heard.retained)
            assert len(said) == 3
            mosquitto.stop()
            until(lambda: "no broker" in bridge.told(), bridge.told)
            mosquitto.start()  # it has forgotten what it was told to keep
            with speaking(mosquitto) as heard:
                until(lambda: len(heard.retained) == 3, bridge.told)
                assert heard.retained == said
                place = Place(bridge, heard, there, mosquitto, visitors)
                place.passed()
                bridge.process.send_signal(signal.SIGKILL)  # which says no farewell: its will does
                until(lambda: heard.retained["handful/availability"] == "offline")


def test_the_password_comes_from_a_file_and_goes_nowhere(
    tmp_path: Path, spare: Server, visitors: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    with broker(tmp_path, "handful", "open sesame") as mosquitto, frigate() as there:
        options = ("--classifier", f"person={visitors}", "--mqtt-url", mosquitto.url)
        settings = {"url": spare.url, "frigate_url": there.url, "mqtt_username": "handful"}
        with Bridge.started(tmp_path, *options, mqtt_password="wrong", **settings) as refused:
            assert refused.process.wait(60) == 1
        assert "HANDFUL_MQTT_PASSWORD" in refused.told()
        assert "Traceback" not in refused.told()
        with (
            Bridge.started(tmp_path, *options, mqtt_password_file=secret, **settings) as bridge,
            speaking(mosquitto) as heard,
        ):
            until(lambda: heard.retained.get("handful/availability") == "online", bridge.told)
            assert bridge.stop() == 0
            until(lambda: heard.retained["handful/availability"] == "offline")
        assert "sesame" not in bridge.told() + refused.told()


@contextmanager
def overloaded(url: str, times: int) -> Iterator[tuple[str, list[int]]]:
    """A service that has too much to do so many times, then answers."""
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if len(statuses) < times:
                status, content, more = 503, b'{"title": "Overloaded"}', {"retry-after": "1"}
            else:
                kept = {"content-type": self.headers["content-type"]}
                said = httpx.post(url + self.path, content=body, headers=kept)
                status, content, more = said.status_code, said.content, {}
            statuses.append(status)
            self.send_response(status)
            for name, value in {**more, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", statuses
    finally:
        server.shutdown()
        server.server_close()


def test_a_service_that_has_too_much_to_do_is_asked_again_when_it_says(
    tmp_path: Path, spare: Server, visitors: str
) -> None:
    with (
        overloaded(spare.url, 2) as (url, statuses),
        broker(tmp_path) as mosquitto,
        frigate() as there,
        speaking(mosquitto) as heard,
        Bridge.started(
            tmp_path,
            *("--classifier", f"person={visitors}", "--camera", "front", "--attempts", "1"),
            url=url,
            mqtt_url=mosquitto.url,
            frigate_url=there.url,
        ) as bridge,
    ):
        until(lambda: heard.retained.get("handful/availability") == "online", bridge.told)
        place = Place(bridge, heard, there, mosquitto, visitors)
        event = place.add("w")
        heard.event(event)
        until(lambda: there.events[event].sub_label == "Bob", bridge.told)
        assert statuses == [503, 503, 200]
        assert bridge.stop() == 0
