"""Clients: they change a few classifiers and look at them, and write down what they see."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from tests.campaigns.consistency.history import History, Operation, Outcome
from tests.service.pictures import picture

_LABELS = ("ant", "bee", "cat", "dog")
# Images of a classifier: a query names all of them, as evidence.
_MOST_IMAGES = 70
# Seconds in which each request has to be answered by somebody.
_PATIENCE = 180.0
# Seconds after which a change that was not answered cannot be made any more: a database that went
# on by itself, or was stopped for a while, has come to the end of it.
_LATE = 15.0
# Of changes that are sent with an Idempotency-Key, and again until they are answered.
_KEYED = 0.8
_BUSY = {"idempotency-key-in-use", "changed-meanwhile"}
_REFUSED = (429, 503, 504, 507)


@dataclass
class Common:
    """What all clients of a campaign share.

    Attributes:
        address: A service to ask, drawn anew for each try.
        history: Of all clients.
        classifiers: Their names; they are there.
        ended: Set when clients are to end.
    """

    address: Callable[[random.Random], str]
    history: History
    classifiers: tuple[str, ...]
    ended: threading.Event = field(default_factory=threading.Event)
    counts: Counter[str] = field(default_factory=Counter)
    ids: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    last_seen: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def learn(self, image_id: str, name: str) -> None:
        """Which id an image has."""
        self.ids[name], self.names[image_id] = image_id, name


class Client(threading.Thread):
    """Sends one operation after the other, each to a service drawn at random.

    Args:
        common: Of all clients.
        number: Of this one.
        seed: Of the campaign.
    """

    def __init__(self, common: Common, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._common = common
        self._number = number
        self._draw = random.Random(f"{seed} {number}")
        self._http: dict[str, httpx.Client] = {}
        self._query = picture(10**9 + number)
        self._pictures = 0

    def run(self) -> None:
        """Go on until the end, or until something is as it must never be."""
        try:
            while not self._common.ended.is_set():
                self._step()
        except BaseException as error:
            self._common.failures.append(repr(error))
            self._common.ended.set()
        finally:
            for http in self._http.values():
                http.close()

    def look(self, classifier: str) -> None:
        """A read of a classifier."""
        if self._draw.random() < 0.5:
            self._read_similar(classifier)
        else:
            self._read_evidence(classifier)

    def _step(self) -> None:
        draw, common = self._draw, self._common
        classifier = draw.choice(common.classifiers)
        some = list(common.last_seen.get(classifier, ()))
        kinds = ["read"] * 6 + ["add"] * 4 + ["rename class"]
        if some:
            kinds += ["delete images", "delete images", "move images", "delete class"]
        kind = draw.choice(kinds) if len(some) < _MOST_IMAGES else "delete class"
        label, to = draw.sample(_LABELS, 2)
        url = f"/v1/classifiers/{classifier}"
        class_url = f"{url}/classes/{quote(label)}"
        if kind == "read":
            self.look(classifier)
        elif kind == "add":
            self._add(classifier, label, class_url)
        elif kind == "delete class":
            self._change(kind, classifier, {"label": label}, "DELETE", class_url)
        elif kind == "rename class":
            asked: dict[str, Any] = {"label": label, "to": to}
            self._change(kind, classifier, asked, "POST", f"{class_url}/rename", json={"to": to})
        else:
            chosen = draw.sample(some, min(len(some), draw.choice((1, 1, 2, 3))))
            ids = [common.ids[one] for one in chosen]
            if kind == "move images":
                asked = {"images": chosen, "to": to}
                body: dict[str, Any] = {"images": ids, "to": to}
                self._change(kind, classifier, asked, "POST", f"{url}/images/move", json=body)
            else:
                asked, body = {"images": chosen}, {"images": ids}
                self._change(kind, classifier, asked, "POST", f"{url}/images/delete", json=body)

    def _add(self, classifier: str, label: str, class_url: str) -> None:
        names, files = [], []
        for _ in range(self._draw.choice((1, 2, 3))):
            self._pictures += 1
            name = f"{self._number}-{self._pictures}.png"
            names.append(name)
            files.append(("files", (name, picture(10**6 * self._number + self._pictures))))
        asked = {"label": label, "images": names}
        told = self._change("add", classifier, asked, "POST", f"{class_url}/images", files=files)
        if told is not None and told.status_code == 201:
            for one, name in zip(told.json()["images"], names, strict=True):
                self._common.learn(one["id"], name)

    def _change(
        self,
        kind: str,
        classifier: str,
        asked: dict[str, Any],
        method: str,
        path: str,
        **body: Any,
    ) -> httpx.Response | None:
        """Send a change; again until it is answered, if it has a key to be known by."""
        keyed = self._draw.random() < _KEYED
        headers = {}
        if keyed:
            headers["idempotency-key"] = str(uuid.UUID(int=self._draw.getrandbits(128)))
        number, began = self._common.history.next_number(), time.monotonic()
        while True:
            answer = self._ask(method, path, headers=headers, **body)
            said = outcome_of(answer)
            if answer is not None and said is None:
                self._common.failures.append(f"{answer.status_code}: {answer.text}")
            outcome: Outcome = said or "unknown"
            if not keyed or (answer is not None and not _is_busy(answer)):
                break
            assert time.monotonic() < began + _PATIENCE, (method, path, answer)
            time.sleep(0.05)
        late = _LATE if outcome == "unknown" else 0.0
        self._note(number, kind, classifier, asked, began, time.monotonic() + late, outcome, answer)
        return answer

    def _read_similar(self, classifier: str) -> None:
        """All images of one state, as neighbours of a picture."""
        path = f"/v1/classifiers/{classifier}/similar"
        number, began, answer = self._answered(path, {"limit": 1000})
        images = answer.json()["images"]
        for one in images:
            self._common.learn(one["image_id"], one["filename"])
        seen = [(one["label"], one["filename"]) for one in images]
        self._common.last_seen[classifier] = [name for _, name in seen]
        self._note(
            number, "read", classifier, {}, began, time.monotonic(), "done", answer, tuple(seen)
        )

    def _read_evidence(self, classifier: str) -> None:
        """All images of one state, as evidence of an answer."""
        path = f"/v1/classifiers/{classifier}/predict"
        number, began, answer = self._answered(path, {"evidence": 100, "top_k": 100})
        ended = time.monotonic()
        evidence: list[Any] = []
        if answer.status_code != 409:  # it has no classes
            evidence = answer.json()["predictions"][0]["evidence"]
        if any(one["image_id"] not in self._common.names for one in evidence):
            self._read_similar(classifier)  # of a change that was not answered
        if any(one["image_id"] not in self._common.names for one in evidence):
            self._common.counts["reads of images that were gone before their names were"] += 1
            return
        seen = [(one["label"], self._common.names[one["image_id"]]) for one in evidence]
        self._note(number, "read", classifier, {}, began, ended, "done", answer, tuple(seen))

    def _answered(self, path: str, parameters: dict[str, int]) -> tuple[int, float, httpx.Response]:
        """A read that somebody answers; it began when that one was asked."""
        headers = {"content-type": "image/png"}
        until = time.monotonic() + _PATIENCE
        while True:
            number, began = self._common.history.next_number(), time.monotonic()
            answer = self._ask(
                "POST", path, params=parameters, headers=headers, content=self._query
            )
            if answer is not None and answer.status_code in (200, 409):
                return number, began, answer
            if answer is not None and answer.status_code not in _REFUSED:
                self._common.failures.append(f"{answer.status_code}: {answer.text}")
            assert time.monotonic() < until, (path, answer)
            time.sleep(0.05)

    def _ask(self, method: str, path: str, **body: Any) -> httpx.Response | None:
        """The answer of a service; None: there was none."""
        url = self._common.address(self._draw)
        http = self._http.get(url)
        if http is None:
            http = self._http[url] = httpx.Client(base_url=url, timeout=_PATIENCE)
        try:
            return http.request(method, path, **body)
        except httpx.TransportError:
            self._common.counts["not answered"] += 1
            time.sleep(0.1)
            return None

    def _note(
        self,
        number: int,
        kind: str,
        classifier: str,
        asked: dict[str, Any],
        began: float,
        ended: float,
        outcome: Outcome,
        answer: httpx.Response | None,
        seen: tuple[tuple[str, str], ...] | None = None,
    ) -> None:
        self._common.counts[f"{kind}, {outcome}"] += 1
        self._common.history.add(
            Operation(
                number=number,
                client=self._number,
                classifier=classifier,
                kind=kind,
                asked=asked,
                began=began,
                ended=ended,
                outcome=outcome,
                status=0 if answer is None else 503 if _is_busy(answer) else answer.status_code,
                seen=seen,
            )
        )


def outcome_of(answer: httpx.Response | None) -> Outcome | None:
    """What an answer to a change says of it, or that there is none; None: none that may be."""
    if answer is None or _type(answer) == "outcome-unknown":
        return "unknown"
    if answer.is_success or _type(answer) == "already-carried-out":
        return "done"
    return "refused" if answer.status_code in (404, 409, *_REFUSED) else None


def _is_busy(answer: httpx.Response) -> bool:
    """Whether to come again: nothing is wrong with the request."""
    return answer.status_code in _REFUSED or _type(answer) in _BUSY


def _type(answer: httpx.Response) -> str:
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    return str(answer.json().get("type")) if is_problem else ""
