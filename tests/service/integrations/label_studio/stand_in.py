"""A stand-in of Label Studio on a socket: files, the API that is asked, and the webhooks it sends.

Requests and answers are of the shapes that Label Studio 1.23.2 was recorded with (its whole answers
have more members, which nothing here reads). What the real one does is tried in
`tests/campaigns/label_studio.py`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]

CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<Choices name="choice" toName="image" choice="single">'
    '<Choice value="ant"/><Choice value="bee"/><Choice value="fly"/></Choices></View>'
)
SEVERAL = CONFIG.replace("single", "multiple")
LEGACY = "0123456789abcdef0123456789abcdef01234567"
_BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)


def jwt(**claims: Any) -> str:
    """A token of the shape of a JWT, signed by nobody."""

    def part(of: Json) -> str:
        return base64.urlsafe_b64encode(json.dumps(of).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2ln"


@dataclass
class LabelStudio:
    """The stand-in: a project, its tasks and annotations.

    Attributes:
        files: Bytes by their path.
        asked: Path and ``Authorization`` of each request that came.
        credentials: Those that are accepted.
        redirects: Where to, by path.
    """

    port: int = 0
    project: int = 7
    config: str = CONFIG
    created_at: str = "2026-11-29T11:00:00.000001Z"
    files: dict[str, bytes] = field(default_factory=dict)
    tasks: dict[int, Json] = field(default_factory=dict)
    annotations: dict[int, Json] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    accepts: list[str | None] = field(default_factory=list)
    credentials: set[str] = field(default_factory=lambda: {f"Token {LEGACY}"})
    redirects: dict[str, str] = field(default_factory=dict)
    refreshes: int = 0
    seconds: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # What people do there

    def task(self, content: bytes, name: str = "a.png", key: str = "image") -> Json:
        """A task of an uploaded picture."""
        number = len(self.tasks) + 101
        path = f"/data/upload/{self.project}/{number:08x}-{name}"
        self.files[path] = content
        return self.task_at(path, key)

    def task_at(self, address: object, key: str = "image") -> Json:
        number = len(self.tasks) + 101
        self.tasks[number] = {"id": number, "data": {key: address}, "project": self.project}
        return self.tasks[number]

    def annotate(self, task: Json, *labels: str, skipped: bool = False) -> Json:
        """Annotate a task; the webhook of it."""
        number = len(self.annotations) + 1001
        at = self._now()
        self.annotations[number] = {
            "id": number,
            "task": task["id"],
            "project": self.project,
            "created_at": at,
        }
        self._write(number, labels, at, skipped)
        return self._webhook("ANNOTATION_CREATED", number)

    def change(self, webhook: Json, *labels: str, skipped: bool = False) -> Json:
        """Annotate otherwise; the webhook of it."""
        number = webhook["annotation"]["id"]
        self._write(number, labels, self._now(), skipped)
        return self._webhook("ANNOTATION_UPDATED", number)

    def delete(self, *webhooks: Json) -> Json:
        ids = [webhook["annotation"]["id"] for webhook in webhooks]
        for number in ids:
            del self.annotations[number]
        gone = [{"id": number} for number in ids]
        return {"action": "ANNOTATIONS_DELETED", "annotations": gone, "project": self.about()}

    def delete_task(self, task: Json) -> Json:
        del self.tasks[task["id"]]
        kept = {i: one for i, one in self.annotations.items() if one["task"] != task["id"]}
        self.annotations = kept
        gone = [{"id": task["id"]}]
        return {"action": "TASKS_DELETED", "tasks": gone, "project": self.about()}

    def train(self) -> Json:
        return {"action": "START_TRAINING", "project": self.about()}

    def asks(self, *tasks: Json) -> Json:
        """The body of a request for predictions."""
        return {
            "tasks": list(tasks),
            "project": f"{self.project}.1795950000",
            "label_config": self.config,
            "params": {"login": None, "password": None, "context": None},
        }

    def setup(self) -> Json:
        return {
            "project": f"{self.project}.1795950000",
            "schema": self.config,
            "hostname": "http://elsewhere.example.com",
            "access_token": LEGACY,
            "extra_params": None,
        }

    def about(self) -> Json:
        return {
            "id": self.project,
            "title": "insects",
            "label_config": self.config,
            "created_at": self.created_at,
            "token": "is nobody's business",
        }

    def _now(self) -> str:
        self.seconds += 1
        return (_BEGIN + timedelta(seconds=self.seconds)).isoformat().replace("+00:00", "Z")

    def _write(self, number: int, labels: tuple[str, ...], at: str, skipped: bool) -> None:
        region = {
            "from_name": "choice",
            "to_name": "image",
            "type": "choices",
            "value": {"choices": list(labels)},
        }
        self.annotations[number] |= {
            "result": [region] if labels else [],
            "was_cancelled": skipped,
            "updated_at": at,
        }

    def _webhook(self, action: str, number: int) -> Json:
        annotation = dict(self.annotations[number])
        task = self.tasks[annotation["task"]]
        return {
            "action": action,
            "annotation": annotation,
            "project": self.about(),
            "task": dict(task),
        }

    # What its server answers

    def answer(self, method: str, target: str, authorization: str | None) -> tuple[int, Any]:
        """Status, and bytes or JSON."""
        path = unquote(urlsplit(target).path)
        self.asked.append((target, authorization))
        if path == "/api/token/refresh/":
            self.refreshes += 1
            access = jwt(exp=4_000_000_000, number=self.refreshes)
            self.credentials.add(f"Bearer {access}")
            return 200, {"access": access}
        if authorization not in self.credentials:
            return 401, {"status_code": 401, "detail": "Invalid token."}
        if path in self.redirects:
            return 303, self.redirects[path]
        if path in self.files:
            return 200, self.files[path]
        if path == f"/api/projects/{self.project}/":
            return 200, self.about()
        if path == "/api/tasks/":
            return self._page(parse_qs(urlsplit(target).query))
        if found := re.fullmatch(r"/api/annotations/(\d+)/", path):
            one = self.annotations.get(int(found[1]))
            return (404, {"status_code": 404}) if one is None else (200, one)
        return 404, {"status_code": 404, "detail": "Not found."}

    def _page(self, asked: dict[str, list[str]]) -> tuple[int, Any]:
        page, size = int(asked["page"][0]), int(asked["page_size"][0])
        some = list(self.tasks.values())[(page - 1) * size : page * size]
        if not some and page > 1:
            return 404, {"status_code": 404, "detail": "Invalid page."}
        mine = self.annotations.values()
        tasks = [
            one | {"annotations": [each for each in mine if each["task"] == one["id"]]}
            for one in some
        ]
        return 200, {"tasks": tasks, "total": len(self.tasks)}


@contextlib.contextmanager
def label_studio(**fields: Any) -> Iterator[LabelStudio]:
    """A stand-in that listens."""
    found = LabelStudio(**fields)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            found.accepts.append(self.headers.get("accept"))
            status, body = found.answer(self.command, self.path, self.headers.get("authorization"))
            self.send_response(status)
            if status == 303:
                self.send_header("location", body)
                body = b""
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked has gone
                self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - as the class has them

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()
