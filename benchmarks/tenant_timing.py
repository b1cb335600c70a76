"""Whether how long an answer takes tells one tenant what another one has.

    python -m benchmarks.tenant_timing [--requests 1000]

One tenant asks over one connection, in random order, for what only another tenant has and for what
nobody has. The answers are the same, and so should their times be. AUC is the probability that an
answer about what the other has takes longer than one about what nobody has, with its p-value by
Mann and Whitney (1947): 0.5 tells nothing. Two controls: the same for two sets of names that nobody
has, and for names that are the asking tenant's own, which has to be seen.
"""

from __future__ import annotations

import argparse
import gc
import http.client
import json
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2 as httpx
from scipy.stats import mannwhitneyu

from benchmarks.published import publish
from service.access.principal import Scope
from service.storage.engine import open_database
from service.storage.keys import KeyTerms, create_key
from tests.service.client import Classifier, of_four
from tests.service.jobs.asking import begun, ended
from tests.service.pictures import picture
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

ALL = frozenset({Scope.READ, Scope.PREDICT, Scope.WRITE})
# Names and ids of each kind: what is asked for again and again should not be one place in an index.
SOME = 20
WARM = 0.1  # of the requests, which are not counted
NAMES, JSON, IMAGE = "/v1/classifiers/", "application/json", picture(9)


@dataclass(frozen=True)
class Asked:
    """A request: method, path, body and its type."""

    method: str
    path: str
    body: bytes | None = None
    media_type: str = "image/png"


@dataclass(frozen=True)
class Channel:
    """What is asked for: requests for what is there, and for what is not, with the same answer."""

    there: Sequence[Asked]
    absent: Sequence[Asked]
    same: bool = True


@dataclass
class Times:
    """Milliseconds of the answers of a channel."""

    there: list[float]
    absent: list[float]


@contextmanager
def service() -> Iterator[tuple[Server, str, str]]:
    """A service, and the keys of the tenant that asks and of the other one."""
    with tempfile.TemporaryDirectory(prefix="handful-timing-") as folder:
        backbone = f"local-dir:{write_tiny_vit(Path(folder))}"
        engine = open_database(f"sqlite:///{Path(folder) / 'handful.db'}")
        keys = [create_key(engine, KeyTerms(tenant=one, scopes=ALL))[1] for one in ("a", "b")]
        engine.dispose()
        with Server.ready(Path(folder), backbone=backbone, auth="keys") as running:
            yield running, keys[0], keys[1]


def drawn(number: int = SOME) -> list[str]:
    """So many names, or ids, that nobody has; all of one length."""
    return [secrets.token_hex(16) for _ in range(number)]


def image_ids(made: Classifier) -> list[str]:
    """Ids of the images of a class."""
    return [image["id"] for image in made.get_class("ant").json()["images"]]


def channels(mine: httpx.Client, theirs: httpx.Client) -> dict[str, Channel]:
    """Fill both tenants, and say what is asked for."""
    own = drawn()
    for name in own:
        of_four(mine, name)
    others, images, jobs = drawn(), [], []
    for name in others:
        made = of_four(theirs, name)
        made.predict(IMAGE).raise_for_status()  # so that it is in memory
        images += image_ids(made)[:1]
        where = begun(made, "predict", {"a.png": IMAGE})
        ended(theirs, where)
        jobs.append(where.rpartition("/")[2])

    def pair(kind: Callable[[str], Asked], there: Sequence[str] = others) -> Channel:
        return Channel([kind(one) for one in there], [kind(one) for one in drawn(len(there))])

    def look(name: str) -> Asked:
        return Asked("GET", NAMES + name)

    def by_id(image_id: str) -> Asked:
        body = json.dumps({"images": [{"image_id": image_id}]}).encode()
        return Asked("POST", f"{NAMES}{own[0]}/predict", body, JSON)

    image_path = f"{NAMES}{own[0]}/classes/ant/images/"
    return {
        "GET a classifier": pair(look),
        "predict": pair(lambda name: Asked("POST", f"{NAMES}{name}/predict", IMAGE)),
        "DELETE a classifier": pair(lambda name: Asked("DELETE", NAMES + name)),
        "GET an image by its id": pair(lambda one: Asked("GET", image_path + one), images),
        "predict by an image's id": pair(by_id, images),
        "GET a job": pair(lambda one: Asked("GET", f"/v1/jobs/{one}"), jobs),
        "control: nobody's, nobody's": pair(look, drawn()),
        "control: one's own, nobody's": Channel(
            [look(one) for one in own], [look(one) for one in drawn()], same=False
        ),
    }


def measured(
    server: Server, key: str, asked: Mapping[str, Channel], requests: int
) -> dict[str, Times]:
    """Ask for all of it, each so often, in random order."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    times = {name: Times([], []) for name in asked}
    warm = int(WARM * requests)
    plan = [
        (name, is_there, warming)
        for warming, number in ((True, warm), (False, requests))
        for name, is_there, _ in random.sample(
            [(n, there, i) for n in asked for there in (True, False) for i in range(number)],
            2 * number * len(asked),
        )
    ]
    gc.disable()
    for name, is_there, warming in plan:
        channel = asked[name]
        one = random.choice(channel.there if is_there else channel.absent)
        headers = {"authorization": f"Bearer {key}"}
        if one.body is not None:
            headers["content-type"] = one.media_type
        begun = time.perf_counter()
        connection.request(one.method, one.path, one.body, headers)
        answer = connection.getresponse()
        answer.read()
        took = 1000 * (time.perf_counter() - begun)
        if answer.status == (200 if is_there and not channel.same else 404):
            if not warming:
                (times[name].there if is_there else times[name].absent).append(took)
        else:
            raise SystemExit(f"{one.method} {one.path}: {answer.status}")
    gc.enable()
    connection.close()
    return times


def row(name: str, times: Times) -> dict[str, float | int | str]:
    """Medians of a channel, and whether they tell anything."""
    there, absent = statistics.median(times.there), statistics.median(times.absent)
    tested = mannwhitneyu(times.there, times.absent, method="asymptotic")
    n, m = len(times.there), len(times.absent)
    return {
        "asked for": name,
        "another's, ms": f"{there:.3f}",
        "nobody's, ms": f"{absent:.3f}",
        "difference, us": f"{1000 * (there - absent):+.1f}",
        "AUC": f"{tested.statistic / (n * m):.3f}",
        "by chance": f"0.5 ± {1.96 * ((n + m + 1) / (12 * n * m)) ** 0.5:.3f}",
        "p": float(tested.pvalue),
        "times each": n,
    }


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1000, help="of each kind")
    options = parser.parse_args()
    with service() as (running, mine, theirs):
        with running.client() as first, running.client() as second:
            first.headers["x-api-key"], second.headers["x-api-key"] = mine, theirs
            asked = channels(first, second)
        times = measured(running, mine, asked, options.requests)
    publish(
        "tenant-timing",
        "Milliseconds of answers about what another tenant has, and what nobody has",
        [row(name, one) for name, one in times.items()],
    )


if __name__ == "__main__":
    main()
