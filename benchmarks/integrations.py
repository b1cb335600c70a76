"""What integrations cost a start and a plain query: none against all of them.

    python -m benchmarks.integrations [--pairs 8] [--queries 600]

Pairs of services of the default backbone with compiled models at hand, each pair started one after
the other, in the other order each time; then one connection asks both in turns. Told are, of each
pair and as geometric means, all against none: seconds until ready, processor time until then, the
median of an answer, and processor time of a query. The same service twice (`--same`) shows what
the noise is.
"""

from __future__ import annotations

import argparse
import socket
import statistics
from contextlib import ExitStack
from typing import NamedTuple

import httpx2 as httpx
import psutil

from benchmarks.load import Service
from benchmarks.published import machine
from benchmarks.servers import handful
from benchmarks.telemetry import Variant, ask
from service.settings.integrations import INTEGRATIONS
from tests.service.client import of_four

_ROUNDS = 10
MEASURED = ("ready", "processors until then", "an answer", "processors of a query")


class Cost(NamedTuple):
    """What one service of a pair took, in the order of ``MEASURED``."""

    ready: float
    started: float
    answer: float
    computed: float


def everything() -> dict[str, object]:
    """Settings with which all integrations are on, none of which is asked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        "integrations": ",".join(INTEGRATIONS),
        "label_studio_url": "http://127.0.0.1:9",
        "label_studio_token": "none",
        "grpc_port": port,
    }


def processors(service: Service) -> float:
    """Seconds of all threads of a service so far."""
    times = psutil.Process(service.process.pid).cpu_times()
    return float(times.user + times.system)


def pair(kinds: list[dict[str, object]], queries: int) -> list[Cost]:
    """Start both, in this order, and measure."""
    with ExitStack() as stack:
        services, started = [], []
        for settings in kinds:
            service = stack.enter_context(handful(**settings))
            services.append(service)
            started.append(processors(service))
        variants = []
        for service in services:
            with httpx.Client(base_url=service.url, timeout=120) as client:
                of_four(client, "asked")
            process = psutil.Process(service.process.pid)
            variants.append(Variant(service.url, process, service.port))
        for one in variants:
            ask(one, 150)
            one.seconds.clear()
            one.computed.clear()
        for i in range(_ROUNDS):
            for one in variants[:: 1 if i % 2 else -1]:
                ask(one, queries // _ROUNDS)
        return [
            Cost(
                service.ready,
                start,
                statistics.median(one.seconds),
                statistics.median(one.computed),
            )
            for service, start, one in zip(services, started, variants, strict=True)
        ]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--queries", type=int, default=600, help="of each service of a pair")
    parser.add_argument("--same", action="store_true", help="none against none")
    given = parser.parse_args()
    print(machine())
    none: dict[str, object] = {"integrations": ""}
    ratios: list[list[float]] = []
    for i in range(-1, given.pairs):  # the first one fills the page cache
        kinds = [none, none if given.same else everything()]
        costs = pair(kinds[:: 1 if i % 2 else -1], given.queries)[:: 1 if i % 2 else -1]
        if i < 0:
            continue
        ratios.append([after / before for before, after in zip(*costs, strict=True)])
        print(
            ", ".join(f"{n} {r:.3f}" for n, r in zip(MEASURED, ratios[-1], strict=True)), flush=True
        )
    for name, of in zip(MEASURED, zip(*ratios, strict=True), strict=True):
        print(f"{name}: {statistics.geometric_mean(of):.3f} ({min(of):.3f} to {max(of):.3f})")


if __name__ == "__main__":
    main()
