"""What keys and quotas cost a query, and what over-eager keys cost those within their limits.

    python -m benchmarks.access overhead [--queries 3000]
    python -m benchmarks.access load [--seconds 20]

`overhead`: one connection asks two services in turns about one image, one that asks for no keys
and one whose key and tenant have rate limits, both of the same small encoder; what differs is the
check. Then the check alone, in this process.

`load`: 50 keys of 25 tenants send three times what they may, at a steady pace, while eight keys of
another tenant stay within their limits; latencies of these alone and beside those, in turns. Each
of the two groups is sent by a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import create_engine

from benchmarks.published import machine
from service.access.limits import RateLimits
from service.access.principal import Scope
from service.access.required_access import RequiredAccess
from service.api.access_control import AccessControl
from service.authentication.key_ring import KeyRing
from service.quotas.gcra import ProcessMeters
from service.quotas.shared_meters import SharedMeters
from service.settings import Settings
from service.storage.engine import open_database
from service.storage.keys import KeyTerms, create_key
from tests.service.client import of_four
from tests.service.pictures import picture
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

PREDICT = "/v1/classifiers/asked/predict"
ALL = frozenset({Scope.READ, Scope.PREDICT, Scope.WRITE})
EAGER, TENANTS = 50, 25
# Images a second: what an eager key may send, and what it sends.
MAY, SENDS = 0.4, 1.2
# Keys within their limits, and what each sends, which is half of what it may.
MODEST, PACE = 8, 5.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so many are not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Asking:
    """One connection that asks about one image."""

    def __init__(self, url: str, key: str | None) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"content-type": "image/png"}
        if key is not None:
            self._headers["authorization"] = f"Bearer {key}"

    def ask(self, image: bytes) -> tuple[int, float]:
        """Status, and milliseconds."""
        begun = time.perf_counter()
        self._connection.request("POST", PREDICT, image, self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, 1000 * (time.perf_counter() - begun)


@contextmanager
def service(backbone: str, **settings: object) -> Iterator[tuple[Server, dict[str, str]]]:
    """A service with keys by their names, or without any."""
    with tempfile.TemporaryDirectory(prefix="handful-access-") as folder:
        keys: dict[str, str] = {}
        if settings.get("auth") == "keys":
            keys = made_keys(Path(folder))
        with Server.ready(Path(folder), backbone=backbone, **settings) as running:
            for name, key in (keys or {"": ""}).items():
                if name.endswith("-owner") or not keys:
                    with running.client() as client:
                        client.headers["x-api-key"] = key
                        of_four(client, "asked")
            yield running, keys


def made_keys(folder: Path) -> dict[str, str]:
    """A key without limits of each tenant, and those that are limited."""
    engine = open_database(f"sqlite:///{folder / 'handful.db'}")
    keys: dict[str, str] = {}

    def make(name: str, tenant: str, rates: RateLimits) -> None:
        keys[name] = create_key(engine, KeyTerms(tenant=tenant, scopes=ALL, rates=rates))[1]

    for i in range(TENANTS):
        make(f"{i}-owner", f"eager{i}", RateLimits())
    for i in range(EAGER):
        make(f"eager {i}", f"eager{i % TENANTS}", RateLimits(requests_per_second=MAY))
    make("modest-owner", "modest", RateLimits())
    limits = RateLimits(requests_per_second=1e5, images_per_second=1e5)
    make("limited", "modest", limits)
    for i in range(MODEST):
        make(f"modest {i}", "modest", RateLimits(requests_per_second=2 * PACE))
    engine.dispose()
    return keys


def overhead(queries: int) -> None:
    """Print what the check of a key with limits adds to a query."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        backbone = f"local-dir:{write_tiny_vit(Path(folder))}"
        plain, _ = stack.enter_context(service(backbone))
        checked, keys = stack.enter_context(
            service(backbone, auth="keys", tenant_requests_per_second=1e5)
        )
        ways = {
            "none": Asking(plain.url, None),
            "keys": Asking(checked.url, keys["modest-owner"]),
            "keys, four rate limits": Asking(checked.url, keys["limited"]),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for i in range(queries + 200):
            for name in random.sample(list(ways), len(ways)):  # each as often after each other
                status, milliseconds = ways[name].ask(picture(1))
                if status != 200:
                    raise SystemExit(f"{name}: {status}")
                if i >= 200:
                    took[name].append(milliseconds)
        for name, values in took.items():
            added = percentile(values, 0.5) - percentile(took["none"], 0.5)
            print(
                f"{name}: p50 {percentile(values, 0.5):.3f} ms ({added:+.3f}),"
                f" p99 {percentile(values, 0.99):.2f} ms, {len(values)} queries"
            )
    check_alone()


@dataclass
class Parts:
    """What access control asks of the parts of a service."""

    keys: object
    bookkeeping: None = None
    meters: None = None


def check_alone() -> None:
    """Print what a check takes in one process."""
    with tempfile.TemporaryDirectory() as folder:
        keys = made_keys(Path(folder))
        engine = create_engine(f"sqlite:///{Path(folder) / 'handful.db'}")
        ring = KeyRing(engine)
        settings = Settings(auth="keys")
        for name, key in (("a key", "modest-owner"), ("a key with two limits", "limited")):
            for where, meters in (
                ("one process", ProcessMeters()),
                ("several", SharedMeters(Path(folder) / "meters")),
            ):
                access = AccessControl(settings, lambda: Parts(ring), meters)  # type: ignore[arg-type, return-value]
                fields = [(b"authorization", f"Bearer {keys[key]}".encode())]

                async def admit(access: AccessControl, fields: list[tuple[bytes, bytes]]) -> float:
                    needed = RequiredAccess(Scope.PREDICT, classifier="asked")
                    begun = time.perf_counter()
                    for _ in range(20_000):
                        scope = {"type": "http", "headers": fields}
                        await access.admit(scope, needed)
                        if (quota := scope.get("handful.quota")) is not None:
                            await quota.take("images", 1)  # type: ignore[attr-defined]
                            quota.fields()  # type: ignore[attr-defined]
                    return (time.perf_counter() - begun) / 20_000 * 1e6

                runs = [asyncio.run(admit(access, fields)) for _ in range(5)]
                print(f"{name}, counted in {where}: {min(runs):.1f} to {max(runs):.1f} us")
        ring.close()
        engine.dispose()


def sent(url: str, keys: Sequence[str], pace: float, seconds: float) -> list[tuple[int, float]]:
    """Status and milliseconds of what keys send, each at a steady pace, one after another.

    Run in a process of its own: whose time is taken shares no interpreter with anybody.
    """
    answers: list[tuple[int, float]] = []

    def send(number: int) -> None:
        asking = Asking(url, keys[number])
        begun = time.monotonic() + number / len(keys) / pace
        for i in range(int(seconds * pace)):
            time.sleep(max(0.0, begun + i / pace - time.monotonic()))
            answers.append(asking.ask(picture(1)))

    with ThreadPoolExecutor(len(keys)) as threads:
        list(threads.map(send, range(len(keys))))
    return answers


def load(seconds: float, rounds: int) -> None:
    """Print latencies of keys within their limits, alone and beside eager ones."""
    spawn = multiprocessing.get_context("spawn")
    with (
        service("lite", auth="keys") as (running, keys),
        ProcessPoolExecutor(2, mp_context=spawn) as processes,
    ):
        modest = [keys[f"modest {i}"] for i in range(MODEST)]
        eager = [keys[f"eager {i}"] for i in range(EAGER)]
        part = seconds / rounds
        processes.submit(sent, running.url, modest, PACE, 5).result()
        took: dict[str, list[float]] = {"alone": [], f"beside {EAGER} eager keys": []}
        statuses: Counter[int] = Counter()
        for _ in range(rounds):
            for name, values in took.items():
                beside = None
                if name != "alone":
                    beside = processes.submit(sent, running.url, eager, SENDS, part + 3)
                    time.sleep(2)  # what their buckets hold in the beginning is used up
                answers = processes.submit(sent, running.url, modest, PACE, part).result()
                if {status for status, _ in answers} != {200}:
                    raise SystemExit("a key within its limits was refused")
                values += [milliseconds for _, milliseconds in answers]
                if beside is not None:
                    statuses += Counter(status for status, _ in beside.result())
        for name, values in took.items():
            print(
                f"{name}: p50 {percentile(values, 0.5):.1f} ms, p99 {percentile(values, 0.99):.1f}"
                f" ms, {len(values)} queries"
            )
        alone, beside_them = (percentile(values, 0.99) for values in took.values())
        print(
            f"p99 {beside_them / alone:.2f} x alone; the eager keys were answered {dict(statuses)}"
        )


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["overhead", "load"])
    parser.add_argument("--queries", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    print(machine())
    if options.what == "overhead":
        overhead(options.queries)
    else:
        load(options.seconds, options.rounds)


if __name__ == "__main__":
    main()
