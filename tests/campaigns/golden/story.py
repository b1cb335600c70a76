"""A scripted conversation with a service, written down answer by answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.campaigns.golden.code import Service
from tests.campaigns.golden.exchange import (
    Answer,
    Request,
    segment,
    with_body,
    with_files,
    with_json,
    zipped,
)
from tests.campaigns.golden.pictures import LABELS, png
from tests.campaigns.golden.recording import Json, Placeholders, Recording, plain_svg

_UNTOLD = {"date"}
QUERIES = [(f"{label}.png", png(label, 500)) for label in LABELS]


class Story:
    """Asks, and keeps request and answer by chapter.

    Args:
        recording: Where chapters are kept.
        part: Of the recording.
        placeholders: For ids, times, addresses and paths.
    """

    def __init__(self, recording: Recording, part: str, placeholders: Placeholders) -> None:
        self.recording = recording
        self.part = part
        self.clean = placeholders
        self.service: Service | None = None
        self._chapter = ""
        self._told: dict[str, Json] = {}

    def begin(self, chapter: str, service: Service | None = None) -> None:
        """Begin a chapter, with this service or the one before."""
        self.end()
        self._chapter, self._told = chapter, {}
        if service is not None:
            self.service = service
            self.clean.literally(f"127.0.0.1:{service.port}", "<address>")

    def end(self) -> None:
        """Write down the chapter."""
        if self._told:
            self.recording.write(self.part, self._chapter, self._told)
        self._told = {}

    def note(self, name: str, value: Json) -> None:
        """Keep something else than an answer."""
        self._told[f"{len(self._told):03} {name}"] = value

    def ask(self, request: Request) -> Answer:
        """Send a request and keep the answer."""
        assert self.service is not None
        answer = self.service.send(request)
        number = f"{len(self._told):03}"
        self.note(
            self.clean(str(request)),
            {
                "status": answer.status,
                "headers": {
                    name: self.clean(value)
                    for name, value in answer.headers.items()
                    if name not in _UNTOLD
                },
                "body": self._body(f"{self.part}/{self._chapter}-{number}", answer),
            },
        )
        return answer

    def get(self, path: str) -> Answer:
        """Look at something."""
        return self.ask(Request("GET", path))

    def delete(self, path: str) -> Answer:
        """Delete something."""
        return self.ask(Request("DELETE", path))

    def _body(self, name: str, answer: Answer) -> Json:
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if not answer.body:
            return None
        if media_type in {"application/json", "application/problem+json"}:
            return json.loads(self.clean(answer.body.decode()))
        if media_type.startswith("text/") or media_type == "image/svg+xml":
            kind = media_type.rpartition("/")[2].partition("+")[0]
            text = self.clean(answer.body.decode())
            return self.recording.text(f"{name}.{kind}", plain_svg(text) if kind == "svg" else text)
        kind = media_type.rpartition("/")[2]
        return {"bytes": len(answer.body)} | self.recording.content(f"{name}.{kind}", answer.body)


class Told:
    """One classifier of a story."""

    def __init__(self, story: Story, name: str) -> None:
        self.story = story
        self.url = f"/v1/classifiers/{name}"

    def class_url(self, label: str) -> str:
        """The address of a class."""
        return f"{self.url}/classes/{segment(label)}"

    def put(self, **settings: object) -> Answer:
        """Create it, or change its settings."""
        return self.story.ask(with_json("PUT", self.url, settings))

    def put_class(self, label: str) -> Answer:
        """Declare a class by its name."""
        return self.story.ask(Request("PUT", self.class_url(label)))

    def post(self, label: str, *images: bytes) -> list[str]:
        """Register images of a class; return their ids."""
        named = [(f"{i}.png", image) for i, image in enumerate(images)]
        return _ids(self.story.ask(with_files(f"{self.class_url(label)}/images", named)))

    def post_zip(self, named: Mapping[str, bytes], query: str = "") -> list[str]:
        """Register a zip; return the ids."""
        return self.post_body(zipped(named), "application/zip", f"/support{query}")

    def post_body(self, body: bytes, media_type: str, where: str) -> list[str]:
        """Register one file as a body; return the ids."""
        return _ids(self.story.ask(with_body("POST", f"{self.url}{where}", body, media_type)))

    def predict(self, queries: Sequence[tuple[str, bytes]] = QUERIES, **parameters: int) -> Answer:
        """Ask for predictions."""
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        path = f"{self.url}/predict" + (f"?{query}" if query else "")
        return self.story.ask(with_files(path, queries))

    def look(self, *, reports: bool = False) -> None:
        """Look at all that there is."""
        self.story.get(self.url)
        listed: Any = self.story.get(f"{self.url}/classes").json()
        for one in listed.get("classes", ()):
            self.story.get(self.class_url(one["label"]))
        self.predict(top_k=10, evidence=20)
        if reports:
            for kind in ("", ".html", ".png", ".svg"):
                self.story.get(f"{self.url}/report{kind}")


def _ids(answer: Answer) -> list[str]:
    if answer.status != 201:
        return []
    return [image["id"] for image in answer.json()["images"]]
