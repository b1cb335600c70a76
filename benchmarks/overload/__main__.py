"""What an overload does to whom: who is shed, what those who are let in wait, when it is over.

    python -m benchmarks.overload [--rounds 3] [--seconds 20] [--backbone lite]

The service has a processor for itself. One tenant asks at 80 % of its capacity, then at 300 %;
beside it another tenant asks at 5 %, both register an image four times a second, the first has
jobs, and `/healthz` is asked ten times a second. What is refused does not come again. Each row is
of one of these, by the share of capacity that the first tenant asks for. Once more it asks at
300 %, and from one moment to the next at 80 %: how many seconds from then on did the last query
come that was refused, or took twice as long as p99 at 80 %? The status is 1 where that is more
than thirty.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx2 as httpx

from benchmarks.load import Report
from benchmarks.load.plan import OK
from benchmarks.overload.beside import REFUSED, Answers, asking, probing, registering
from benchmarks.overload.service import CALM, EAGER, Overloaded, running
from benchmarks.photographs import queries, zipped_support
from benchmarks.published import Row, publish
from benchmarks.servers import CLASSIFIER

NORMAL, OVERLOAD, LITTLE = 0.8, 3.0, 0.05
# Seconds that a recovery may take, and those behind it that have to show it.
_RECOVERY, _AFTER = 30.0, 5.0


def row(
    share: float, who: str, asked: int, admitted: float, p50: float, p99: float, told: str = ""
) -> Row:
    """A row of the table."""
    return {
        "load": f"{share:.0%}",
        "who": who,
        "asked": asked,
        "let in": admitted,
        "p50 ms": 1000 * p50,
        "p99 ms": 1000 * p99,
        "told to wait, s": told,
    }


def of_report(share: float, who: str, report: Report) -> Row:
    """A row of queries."""
    if others := report.outcomes.keys() - {OK, REFUSED}:
        raise SystemExit(f"{who}: answered with {sorted(others)}")
    asked = sum(report.outcomes.values())
    admitted = len(report.latencies) / max(1, asked)
    return row(share, who, asked, admitted, report.latency(0.5), report.latency(0.99))


def of_answers(share: float, who: str, answers: Answers) -> Row:
    """A row of other requests."""
    if answers.others:
        raise SystemExit(f"{who}: answered with {sorted(set(answers.others))}")
    told = f"{min(answers.told)} to {max(answers.told)}" if answers.told else ""
    p50, p99 = answers.latency(0.5), answers.latency(0.99)
    return row(share, who, answers.asked, answers.admitted, p50, p99, told)


def measured(service: Overloaded, capacity: float, share: float, seconds: float) -> list[Row]:
    """All that is asked at once, and what became of it."""
    image = queries()[0]
    with ExitStack() as stack:
        eager, calm = (stack.enter_context(service.client(tenant)) for tenant in (EAGER, CALM))
        job = stack.enter_context(worked_on(eager))
        health = stack.enter_context(asking(probing(eager), 0.1))
        registered = {
            tenant: stack.enter_context(asking(registering(client, image), 0.25))
            for tenant, client in ((EAGER, eager), (CALM, calm))
        }
        with ThreadPoolExecutor(2) as threads:
            asked = {
                tenant: threads.submit(service.asked, tenant, seconds, rate * capacity)
                for tenant, rate in ((EAGER, share), (CALM, LITTLE))
            }
            reports = {tenant: report.result() for tenant, report in asked.items()}
    return [
        of_answers(share, "health", health),
        of_report(share, "queries of the eager tenant", reports[EAGER]),
        of_report(share, "queries of the calm tenant", reports[CALM]),
        of_answers(share, "registrations of the eager tenant", registered[EAGER]),
        of_answers(share, "registrations of the calm tenant", registered[CALM]),
        row(share, "job of the eager tenant, images/s", 0, job[0], 0.0, 0.0),
    ]


@contextmanager
def worked_on(client: httpx.Client) -> Iterator[list[float]]:
    """A job that does not end meanwhile; the list holds images a second in the end."""
    body = zipped_support()
    header = {"content-type": "application/zip", "prefer": "respond-async"}
    jobs = []
    for _ in range(20):
        answer = client.post(f"{CLASSIFIER}/predict", content=body, headers=header)
        jobs.append(answer.raise_for_status().json()["id"])
    done = [0.0]
    begun = time.perf_counter()
    yield done
    took = time.perf_counter() - begun
    for job in jobs:
        path = f"/v1/jobs/{job}"
        done[0] += client.get(path).raise_for_status().json()["progress"]["done"] / took
        client.delete(path)


def recovered(arrivals: Sequence[tuple[float, float]], late: float) -> float:
    """When the last one came who was refused or had to wait long; 0: nobody.

    Args:
        arrivals: When each came, in seconds, and how long it took; for ever where it was refused.
        late: Seconds that an answer may take.
    """
    return max((came for came, took in arrivals if took > late), default=0.0)


def main() -> int:
    """Measure and publish; the status is 1 where an overload was not over in time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--backbone", default="lite")
    arguments = parser.parse_args()
    rows: list[Row] = []
    seconds: list[float] = []
    with running(arguments.backbone) as service:
        for number in range(arguments.rounds):
            capacity = service.asked(EAGER, arguments.seconds / 2).throughput
            alone = {
                share: service.asked(EAGER, arguments.seconds, share * capacity)
                for share in (NORMAL, OVERLOAD)
            }
            relieved = service.relieved(
                EAGER,
                _RECOVERY + _AFTER,
                NORMAL * capacity,
                (arguments.seconds, OVERLOAD * capacity),
            )
            seconds.append(recovered(relieved.arrivals, 2 * alone[NORMAL].latency(0.99)))
            made = [of_report(share, "queries alone", alone[share]) for share in alone]
            for share in (NORMAL, OVERLOAD):
                made += measured(service, capacity, share, arguments.seconds)
            ratio = alone[OVERLOAD].latency(0.99) / alone[NORMAL].latency(0.99)
            print(
                f"round {number}: capacity {capacity:.0f}/s, p99 at 300 % {ratio:.2f} of that at "
                f"80 %, recovered after {seconds[-1]:.1f} s",
                flush=True,
            )
            rows += [{"round": number, **each} for each in made]
    publish("overload", "Who is shed", rows, about={"recovered after, s": seconds})
    return int(max(seconds) > _RECOVERY)


if __name__ == "__main__":
    sys.exit(main())
