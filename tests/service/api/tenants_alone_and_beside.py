"""Two tenants of one service: whether answers to one depend on what the other does, byte by byte.

A sequence of requests is played by three tenants whose names are as long as each other's: by one
alone, by one while another tenant plays a sequence of its own between its requests, by that one.
What the first two are answered must be the same, but for what is drawn (ids) and read from clocks.
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from hypothesis import strategies as st

from tests.service.pictures import picture

NAMES = ["a", "a", "a", "b", "land-cover"]
LABELS = ["ant", "ant", "bee", "not-these"]


@dataclass(frozen=True)
class Step:
    """A request: what, to which classifier, with which label and pictures."""

    what: str
    name: str
    label: str
    pictures: tuple[int, ...]


Send = Callable[[httpx.Client, Step, dict[str, Any]], httpx.Response]


def _files(step: Step) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{i}.png", picture(i))) for i in step.pictures]


def _url(step: Step) -> str:
    return f"/v1/classifiers/{step.name}"


def _image(http: httpx.Client, step: Step, kept: dict[str, Any], method: str) -> httpx.Response:
    """Of an image that this tenant has registered once, if it has."""
    image = kept.get("image", "0" * 32)
    return http.request(method, f"{_url(step)}/classes/{step.label}/images/{image}")


def _import(http: httpx.Client, step: Step, kept: dict[str, Any]) -> httpx.Response:
    return http.put(
        f"{_url(step)}/import",
        content=kept.get("export", b"no file"),
        headers={"content-type": "application/zip"},
    )


WHAT: dict[str, Send] = {
    "create": lambda http, step, _: http.put(_url(step), json={"method": "tip-adapter"}),
    "krr": lambda http, step, _: http.put(_url(step), json={"method": "krr++"}),
    "look": lambda http, step, _: http.get(_url(step)),
    "head": lambda http, step, _: http.head(_url(step)),
    "list": lambda http, step, _: http.get("/v1/classifiers"),
    "delete": lambda http, step, _: http.delete(_url(step)),
    "classes": lambda http, step, _: http.get(f"{_url(step)}/classes"),
    "class": lambda http, step, _: http.get(f"{_url(step)}/classes/{step.label}"),
    "add class": lambda http, step, _: http.put(f"{_url(step)}/classes/{step.label}"),
    "delete class": lambda http, step, _: http.delete(f"{_url(step)}/classes/{step.label}"),
    "register": lambda http, step, _: http.post(
        f"{_url(step)}/classes/{step.label}/images", files=_files(step)
    ),
    "broken": lambda http, step, _: http.post(
        f"{_url(step)}/classes/{step.label}/images",
        content=b"x",
        headers={"content-type": "image/png"},
    ),
    "image": lambda http, step, kept: _image(http, step, kept, "GET"),
    "delete image": lambda http, step, kept: _image(http, step, kept, "DELETE"),
    "predict": lambda http, step, _: http.post(f"{_url(step)}/predict", files=_files(step)),
    "predict one": lambda http, step, _: http.post(
        f"{_url(step)}/predict",
        content=picture(step.pictures[0]),
        headers={"content-type": "image/png"},
    ),
    "suggest": lambda http, step, _: http.post(f"{_url(step)}/suggest", files=_files(step)),
    "advice": lambda http, step, _: http.get(f"{_url(step)}/suggest"),
    "report": lambda http, step, _: http.get(f"{_url(step)}/report"),
    "copy": lambda http, step, _: http.post(f"{_url(step)}/copy", json={"to": "b"}),
    "rename": lambda http, step, _: http.post(f"{_url(step)}/rename", json={"to": "c"}),
    "merge": lambda http, step, _: http.post(f"{_url(step)}/merge", json={"from": "b"}),
    "annotate": lambda http, step, _: http.put(f"{_url(step)}/annotations", json={"notes": "mine"}),
    "similar": lambda http, step, _: http.post(
        f"{_url(step)}/similar",
        content=picture(step.pictures[0]),
        headers={"content-type": "image/png"},
    ),
    "others' image": lambda http, step, kept: http.post(
        f"{_url(step)}/predict",
        json={"images": [{"image_id": kept.get("image", "0" * 32), "classifier": "b"}]},
    ),
    "export": lambda http, step, _: http.get(f"{_url(step)}/export"),
    "import": _import,
    "usage": lambda http, step, _: http.get("/v1/usage"),
    "keys": lambda http, step, _: http.get("/v1/keys"),
    "audit": lambda http, step, _: http.get("/v1/audit", params={"limit": 1000}),
    "metrics": lambda http, step, _: http.get("/metrics"),
    "re-embedding": lambda http, step, _: http.get("/v1/re-embedding"),
    "jobs": lambda http, step, _: http.get("/v1/jobs"),
    "openapi": lambda http, step, _: http.get("/openapi.json"),
    "nothing": lambda http, step, _: http.get("/v1/nothing"),
}
# Most of what there is to see comes from classifiers with images.
_OFTEN = ["create", "register", "register", "register", "predict", "predict one", "class"]

STEPS = st.builds(
    Step,
    st.sampled_from([*WHAT, *_OFTEN, *_OFTEN]),
    st.sampled_from(NAMES),
    st.sampled_from(LABELS),
    st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
)
# Most sequences begin with a classifier of two classes, and so have something to ask.
_BEGINNING = [
    Step("create", "a", "ant", (1,)),
    Step("register", "a", "ant", (1, 2)),
    Step("register", "a", "bee", (3, 4)),
]
SEQUENCES = st.builds(
    lambda begun, steps: [*_BEGINNING, *steps] if begun else steps,
    st.sampled_from([True, True, True, False]),
    st.lists(STEPS, min_size=4, max_size=14),
)

_DRAWN = re.compile(rb"\b[0-9a-f]{32}\b|handful_[0-9a-f]{16}_[\w-]{43}|\b[0-9a-f]{16}\b")
_CLOCK = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
# Refusals and when a key was used are written down together now and then: sooner or later.
_USED_AT = re.compile(rb'"used_at":(?:null|"[^"]*")')
_REFUSAL = rb'\{"id":"[^"]*","at":"[^"]*","action":"refused",[^{}]*\{[^{}]*\}\}'
_REFUSALS = re.compile(rb"(?:," + _REFUSAL + rb")+(?=\])|" + _REFUSAL + rb",?")
_SECONDS = re.compile(rb'"(?:seconds|took|duration)[a-z_]*":\s*[0-9.e-]+')
# Of these fields it is said that they are there.
_FIELDS = frozenset({"date", "etag", "last-modified"})


def masked(answer: httpx.Response, tenant: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """An answer without what is drawn, read from clocks, or the tenant's own name."""
    body, length = _masked(answer.content, tenant), answer.headers.get("content-length")
    fields = {name: "*" if name in _FIELDS else value for name, value in answer.headers.items()}
    if length is not None and answer.content:  # it may tell digits of a clock, but no more
        assert int(length) == len(answer.content)
        fields["content-length"] = "*"
    return answer.status_code, sorted(fields.items()), body


def _masked(content: bytes, tenant: str) -> bytes:
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [
                _DRAWN.sub(b"DRAWN", name.encode()) + b"\0" + _masked(archive.read(name), tenant)
                for name in archive.namelist()
            ]
        return b"\0".join(sorted(members))
    body = _SECONDS.sub(b'"seconds":0', _CLOCK.sub(b"TIME", _without_notes(content)))
    return _DRAWN.sub(b"DRAWN", body).replace(tenant.encode(), b"TENANT")


def _without_notes(content: bytes) -> bytes:
    return _USED_AT.sub(b'"used_at":0', _REFUSALS.sub(b"", content))


class Player:
    """A tenant that plays a sequence; what it is answered is kept, masked."""

    def __init__(self, http: httpx.Client, tenant: str, steps: Sequence[Step]) -> None:
        self.http, self.tenant = http, tenant
        self.answers: list[tuple[int, list[tuple[str, str]], bytes]] = []
        self._steps = iter(steps)
        self._kept: dict[str, Any] = {}

    def play(self) -> bool:
        """Send the next request; whether there was one."""
        step = next(self._steps, None)
        if step is None:
            return False
        answer = WHAT[step.what](self.http, step, self._kept)
        if step.what == "register" and answer.status_code == 201:
            self._kept["image"] = answer.json()["images"][0]["id"]
        if step.what == "export" and answer.status_code == 200:
            self._kept["export"] = answer.content
        self.answers.append(masked(answer, self.tenant))
        return True

    def play_all(self) -> None:
        while self.play():
            pass


def in_turns(first: Player, second: Player, order: Sequence[bool]) -> None:
    """Play two sequences between each other."""
    for second_first in itertools.chain(order, itertools.repeat(False)):
        players = (second, first) if second_first else (first, second)
        if not (players[0].play() | players[1].play()):
            return


def tenants() -> Iterator[str]:
    """Names of tenants, all of one length."""
    return (f"t{i:05d}" for i in itertools.count())
