"""A stand-in for Frigate's HTTP API, written from its document (``frigate-api.yaml``).

And from ``frigate/api/event.py`` and ``frigate/api/media.py`` for what the document leaves out:
what answers 404, the header ``X-Frame-Time``, and the bounds of a sub label.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Event:
    """An event that it has: a picture each time that it is asked for one, the last one again."""

    camera: str
    pictures: list[bytes]
    sub_label: str | None = None
    score: float | None = None
    shown: int = 0
    is_stored: bool = True


@dataclass
class FrigateStandIn:
    """What it has, and what it was asked.

    Attributes:
        hurdles: By the beginning of a path: what answers in its place.
    """

    url: str = ""
    cameras: list[str] = field(default_factory=lambda: ["front", "yard"])
    events: dict[str, Event] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    hurdles: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    ends: threading.Event = field(default_factory=threading.Event)

    def sub_labels(self, event: str) -> list[str]:
        return [path for method, path in self.asked if method == "POST" and event in path]


@contextmanager
def frigate() -> Iterator[FrigateStandIn]:
    there = FrigateStandIn()

    class Handler(_Handler):
        has = there

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    there.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield there
    finally:
        there.ends.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    has: FrigateStandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.has.asked.append(("GET", parts.path))
        if self._hurdle(parts.path):
            return
        steps = [unquote(step) for step in parts.path.split("/")[1:]]
        if steps == ["api", "config"]:
            self.answer(200, {"cameras": {name: {"enabled": True} for name in self.has.cameras}})
            return
        event = self.has.events.get(steps[2]) if steps[:2] == ["api", "events"] else None
        if event is None:
            self.answer(404, {"success": False, "message": "Event not found"})
        elif steps[3:] == ["snapshot.jpg"]:
            self._snapshot(event, parse_qs(parts.query))
        elif event.is_stored:
            document = {"id": steps[2], "camera": event.camera, "sub_label": event.sub_label}
            self.answer(200, {**document, "data": {"sub_label_score": event.score}})
        else:
            self.answer(404, "Event not found")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.has.asked.append(("POST", self.path))
        if self._hurdle(self.path):
            return
        steps = [unquote(step) for step in self.path.split("/")[1:]]
        event = self.has.events.get(steps[2])
        if event is None or steps[3:] != ["sub_label"]:
            self.answer(404, {"success": False, "message": "not found."})
        elif not _fits(body):
            self.answer(422, {"detail": "subLabel, subLabelScore"})
        else:
            event.sub_label, event.score = body["subLabel"] or None, body["subLabelScore"]
            self.answer(200, {"success": True, "message": "sub label set"})

    def answer(self, status: int, document: Any) -> None:
        self.send(status, json.dumps(document).encode(), {"content-type": "application/json"})

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass

    def _hurdle(self, path: str) -> bool:
        for beginning, act in self.has.hurdles.items():
            if path.startswith(beginning):
                act(self)
                return True
        return False

    def _snapshot(self, event: Event, query: dict[str, list[str]]) -> None:
        assert query == {"crop": ["1"], "quality": ["95"], "bbox": ["0"], "timestamp": ["0"]}
        if not event.pictures:
            self.answer(404, {"success": False, "message": "Live frame not available"})
            return
        place = min(event.shown, len(event.pictures) - 1)
        event.shown += 1
        taken = {"content-type": "image/jpeg", "x-frame-time": f"{1607123955.25 + place}"}
        self.send(200, event.pictures[place], taken)


def _fits(body: dict[str, Any]) -> bool:
    """As its model of the body has it: ``max_length=100``, ``gt=0.0, le=1.0``."""
    score = body.get("subLabelScore")
    return len(body["subLabel"]) <= 100 and (score is None or 0.0 < score <= 1.0)
