"""Several services on one PostgreSQL.

    python -m benchmarks.replicas              # throughput of 1, 2, 4 replicas
    python -m benchmarks.replicas checks       # what a look at a revision costs
    python -m benchmarks.replicas changes      # how many a second, with NOTIFY and without
    python -m benchmarks.replicas following    # the first query after a change elsewhere
    python -m benchmarks.replicas commits      # the same of the log alone
    python -m benchmarks.replicas follows      # what following a change costs a replica
    python -m benchmarks.replicas rates        # what a rate limit costs that all share

The server is ``postgres@127.0.0.1:5432``, or that of ``HANDFUL_BENCHMARK_POSTGRESQL``; databases
are made for each measurement and dropped. ``throughput`` measures services whose encoder sleeps for
a fixed time an image (``--cost``, milliseconds) in place of its pass, first with one that leaves
the cores room, then with one that does not.
"""

from __future__ import annotations

import argparse

from benchmarks.published import publish
from benchmarks.replicas.agreement import changes, checks, commits, follows, rates
from benchmarks.replicas.following import following
from benchmarks.replicas.throughput import measured


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    what = ("throughput", "checks", "changes", "commits", "following", "follows", "rates")
    parser.add_argument("what", nargs="?", choices=what, default="throughput")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--cost", type=float, nargs="+", default=[40, 4], help="ms an image")
    parser.add_argument("--rounds", type=int, default=200, help="of following")
    options = parser.parse_args()
    if options.what == "checks":
        publish("replicas_checks", "A look at a revision", checks(options.seconds))
    elif options.what == "changes":
        publish("replicas_changes", "Changes of one image", changes(options.seconds))
    elif options.what == "following":
        publish("replicas_following", "A query of one image", following(options.rounds))
    elif options.what == "follows":
        publish("replicas_follows", "Following a change of one image", follows(options.rounds))
    elif options.what == "commits":
        publish("replicas_commits", "Commits of one row", commits(options.seconds))
    elif options.what == "rates":
        publish("replicas_rates", "A request against two rate limits", rates(options.seconds))
    else:
        rows = [
            row
            for cost in options.cost
            for row in measured(cost / 1000, options.replicas, options.seconds)
        ]
        publish("replicas", "Queries of one image by several replicas", rows)


if __name__ == "__main__":
    main()
