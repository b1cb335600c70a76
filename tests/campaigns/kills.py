"""Changes while the service is killed again and again: none is made twice, none by half.

    python -m tests.campaigns.kills --kills 200 --seed 1

Sends one change after the other, of all kinds, each with an ``Idempotency-Key`` and half of them
with ``If-Match``, while the service is killed (SIGKILL) at random moments from the sending of a
request on. Whatever was not answered is sent again with the same key. After each change its
content and its content revision are compared with a model that makes each change once.
"""

from __future__ import annotations

import argparse
import copy
import random
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from tests.service.pictures import picture
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

Content = dict[str, dict[str, str]]
"""Images of each class: SHA-256 by id."""
# Seconds after the sending of a request, within which the service is killed.
_WITHIN = 0.2
_NAMES = ("one", "two")


@dataclass
class Model:
    """What the classifier is to be."""

    name: str = _NAMES[0]
    revision: int = 0
    content: Content = field(default_factory=dict)
    coverage: float | None = None
    past: dict[int, tuple[Content, float | None]] = field(default_factory=dict)

    def remember(self) -> None:
        self.past[self.revision] = copy.deepcopy(self.content), self.coverage


@dataclass(frozen=True)
class Step:
    """A change: what is sent, and what it makes of the model."""

    kind: str
    method: str
    path: str
    body: dict[str, Any]
    apply: Callable[[Model], None]


class Campaign:
    """One client, one service that is killed, one model.

    Args:
        start: Starts the service on the same data.
        seed: Of all that is drawn.
    """

    def __init__(self, start: Callable[[], Server], seed: int) -> None:
        self.draw = random.Random(seed)
        self.start = start
        self.server = start()
        self.model = Model()
        self.counts: Counter[str] = Counter()
        self.pictures = 0

    def run(self, kills: int) -> Counter[str]:
        """Go on until the service was killed so often; returns what was counted."""
        self._send(Step("create", "PUT", "/v1/classifiers/one", {"json": {}}, lambda model: None))
        self.model.remember()
        while self.counts["kills"] < kills:
            before = copy.deepcopy(self.model)
            step = self._step()
            step.apply(self.model)
            if (self.model.content, self.model.coverage, self.model.name) != (
                before.content,
                before.coverage,
                before.name,
            ):
                self.model.revision += 1
            self._send(step)
            self._compare(step)
            self.model.remember()
            if self.counts["kills"] % 10 == 0:
                print(dict(self.counts), flush=True)
        self.server.stop()
        return self.counts

    def _step(self) -> Step:
        model, draw = self.model, self.draw
        url = f"/v1/classifiers/{model.name}"
        labels = list(model.content)
        ids = [one for images in model.content.values() for one in images]
        kinds = ["register", "settings", "rename", "revert", "register"]
        if labels:
            kinds += ["delete class", "rename class"]
        if len(labels) > 1:
            kinds += ["merge classes", "move"]
        if ids:
            kinds += ["delete images", "move"]
        kind = draw.choice(kinds)
        label = draw.choice(labels) if labels else ""
        class_url = f"{url}/classes/{quote(label, safe='')}"
        if kind == "register":
            label = draw.choice(["ant", "bee", "cat", "dog"])
            self.pictures += 2
            images = [picture(self.pictures), picture(self.pictures + 1)]
            sent = [("files", (f"{n}.png", one)) for n, one in enumerate(images)]
            # Ids are the service's: the model learns them when it is compared.
            return Step(
                kind,
                "POST",
                f"{url}/classes/{label}/images",
                {"files": sent},
                lambda m: m.content.setdefault(label, {}).update({f"new{n}": "" for n in (0, 1)}),
            )
        if kind == "settings":
            other = draw.choice([one for one in (None, 0.8, 0.9) if one != model.coverage])
            return Step(kind, "PUT", url, {"json": {"coverage": other}}, lambda m: _cover(m, other))
        if kind == "rename":
            to = next(one for one in _NAMES if one != model.name)
            return Step(
                kind, "POST", f"{url}/rename", {"json": {"to": to}}, lambda m: _rename(m, to)
            )
        if kind == "revert":
            to_revision = draw.choice(sorted(model.past))
            return Step(
                kind,
                "POST",
                f"{url}/revert",
                {"params": {"to": to_revision}},
                lambda m: _revert(m, to_revision),
            )
        if kind == "delete class":
            return Step(kind, "DELETE", class_url, {}, lambda m: _drop(m, label))
        if kind == "rename class":
            to = next(one for one in ("ant", "bee", "cat", "dog", "elk") if one not in labels)
            return Step(
                kind,
                "POST",
                f"{class_url}/rename",
                {"json": {"to": to}},
                lambda m: _relabel(m, label, to),
            )
        if kind == "merge classes":
            other_label = next(one for one in labels if one != label)
            return Step(
                kind,
                "POST",
                f"{class_url}/merge",
                {"json": {"from": [other_label]}},
                lambda m: m.content[label].update(m.content.pop(other_label)),
            )
        some = draw.sample(ids, min(len(ids), 2)) if ids else []
        if kind == "move" and some:
            to = draw.choice([*labels, "fox"])
            body = {"json": {"images": some, "to": to}}
            return Step(kind, "POST", f"{url}/images/move", body, lambda m: _move(m, some, to))
        if some:
            body = {"json": {"images": some}}
            return Step(
                "delete images",
                "POST",
                f"{url}/images/delete",
                body,
                lambda m: _move(m, some, None),
            )
        return Step("declare", "PUT", f"{url}/classes/gnu", {}, lambda m: _declare(m, "gnu"))

    def _send(self, step: Step) -> None:
        """Send a change until it is answered; the service is killed meanwhile, or not."""
        headers = {"idempotency-key": str(uuid.UUID(int=self.draw.getrandbits(128)))}
        with self.server.client() as http:
            if step.kind != "create" and self.draw.random() < 0.5:
                name = step.path.split("/")[3]
                headers["if-match"] = http.get(f"/v1/classifiers/{name}").headers["etag"]
        killer = None
        if step.kind != "create":
            server, moment = self.server, self.draw.uniform(0, _WITHIN)

            def kill() -> None:
                time.sleep(moment)
                server.kill()

            killer = threading.Thread(target=kill)
            killer.start()
        attempts = 0
        while True:
            attempts += 1
            try:
                with self.server.client() as http:
                    answer = http.request(step.method, step.path, headers=headers, **step.body)
            except httpx.TransportError:
                assert killer is not None, "nobody has killed it"
                killer.join()
                killer = None
                self._again()
                continue
            if answer.status_code == 409 and answer.json()["type"] == "idempotency-key-in-use":
                time.sleep(0.5)
                continue
            told = answer.json()["type"] if answer.status_code == 409 else ""
            assert answer.is_success or told == "already-carried-out", answer.text
            break
        if killer is not None:
            killer.join()
            self._again()
        self.counts[step.kind] += 1
        self.counts["sent again"] += attempts - 1
        self.counts["replayed"] += "idempotent-replayed" in answer.headers
        self.counts["already carried out"] += bool(told)

    def _again(self) -> None:
        self.counts["kills"] += 1
        self.server = self.start()

    def _compare(self, step: Step) -> None:
        model = self.model
        with self.server.client() as http:
            url = f"/v1/classifiers/{model.name}"
            looked = http.get(url).json()
            history = http.get(f"{url}/history").json()
            found: Content = {}
            for one in http.get(f"{url}/classes").json()["classes"]:
                of_class = http.get(f"{url}/classes/{quote(one['label'], safe='')}").json()
                found[one["label"]] = {each["id"]: each["sha256"] for each in of_class["images"]}
            names = [one["name"] for one in http.get("/v1/classifiers").json()["classifiers"]]
        assert names == [model.name], (step.kind, names)
        assert looked["coverage"] == model.coverage, step.kind
        assert found.keys() == model.content.keys(), (step.kind, found.keys())
        for label, images in found.items():
            expected = model.content[label]
            old = {one: sha for one, sha in expected.items() if not one.startswith("new")}
            assert len(images) == len(expected), (step.kind, label)
            assert old.items() <= images.items(), (step.kind, label)
        assert history["revision"] == model.revision, (step.kind, history["changes"][:3])
        model.content = found


def _cover(model: Model, coverage: float | None) -> None:
    model.coverage = coverage


def _rename(model: Model, to: str) -> None:
    model.name = to


def _revert(model: Model, revision: int) -> None:
    content, model.coverage = model.past[revision]
    model.content = copy.deepcopy(content)


def _drop(model: Model, label: str) -> None:
    del model.content[label]


def _declare(model: Model, label: str) -> None:
    model.content.setdefault(label, {})


def _relabel(model: Model, label: str, to: str) -> None:
    model.content = {to if one == label else one: i for one, i in model.content.items()}


def _move(model: Model, some: list[str], to: str | None) -> None:
    moved = {}
    staying = set(model.content.get(to, {})) if to is not None else set()
    for label, images in model.content.items():
        for one in some:
            if one in images and label != to:
                moved[one] = images.pop(one)
    if to is not None and (moved or staying):
        model.content.setdefault(to, {}).update(moved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vit").mkdir()
        backbone = f"local-dir:{write_tiny_vit(Path(folder) / 'vit', 0)}"
        campaign = Campaign(
            lambda: Server.ready(Path(folder) / "data", backbone=backbone), arguments.seed
        )
        counts = campaign.run(arguments.kills)
    seconds = time.monotonic() - begun
    print(f"{counts.pop('kills')} kills in {seconds:.0f} s: no change twice, none by half")
    for what, count in sorted(counts.items()):
        print(f"{what:24}{count:5}")


if __name__ == "__main__":
    main()
