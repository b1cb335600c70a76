"""What a change of the code has done to a plain query, against another checkout.

    python -m benchmarks.before_and_after DIR [--pairs 8] [--queries 600]

Pairs of services of the default backbone, each pair started anew and in the other order: two
processes
of the same code differ by several per cent. One connection asks both in turns. Told are, of each
pair and as geometric means, the median of an answer and the processor time of a query, after
against before.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from pathlib import Path

from benchmarks.published import machine
from benchmarks.telemetry import ROOT, Variant, ask, service

_ROUNDS = 10


def pair(codes: dict[str, Path], queries: int) -> tuple[float, float]:
    """Start both, in this order, and measure: ratios of answers and of processor time."""
    with ExitStack() as stack:
        variants = {
            name: Variant(name, *stack.enter_context(service(code, {})))
            for name, code in codes.items()
        }
        for one in variants.values():
            ask(one, 150)
            one.seconds.clear()
            one.computed.clear()
        for i in range(_ROUNDS):
            for name in sorted(variants, reverse=bool(i % 2)):
                ask(variants[name], queries // _ROUNDS)
        after, before = variants["after"], variants["before"]
        return (
            statistics.median(after.seconds) / statistics.median(before.seconds),
            statistics.median(after.computed) / statistics.median(before.computed),
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout of the code before")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--queries", type=int, default=600, help="of each service of a pair")
    given = parser.parse_args()
    print(machine())
    codes = [("before", given.before.resolve()), ("after", ROOT)]
    answers, computed = [], []
    for i in range(given.pairs):
        answer, processors = pair(dict(codes[:: 1 if i % 2 else -1]), given.queries)
        print(f"answer {answer:.3f}, processors {processors:.3f}", flush=True)
        answers.append(answer)
        computed.append(processors)
    print(f"answer {_mean(answers)}, processors {_mean(computed)}")


def _mean(ratios: list[float]) -> str:
    return f"{statistics.geometric_mean(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


if __name__ == "__main__":
    main()
