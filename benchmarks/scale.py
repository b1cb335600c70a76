"""From one machine to thousands: what a service of replicas on one PostgreSQL runs out of first.

    python -m benchmarks.scale [--queries 200] [--changes 0.2] [--in-use 1.0] [--databases 1]

Arithmetic with measured constants, no simulation: each resource is demanded by a rate and has a
capacity; the table says for each number of nodes what share of each is taken, and which is first.
Where the constants are from, ``docs/scale.md`` says; measure your own with
``python -m benchmarks.replicas checks``, ``changes``, ``follows`` and ``throughput``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.published import Row, publish

NODES = (1, 2, 4, 16, 64, 256, 1024, 4096)
# From this share of its capacity on a resource counts as full: queues grow beyond it.
FULL = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What one of each costs, as measured.

    Attributes:
        look: Processor seconds of the database for a look at revisions.
        look_takes: Seconds from a look's beginning to its end: a process begins the next one then.
        change: Processor seconds of the database for a change of one image.
        commits: Changes a second that the log of one database takes, with many writers.
        commits_notifying: The same, were ``NOTIFY`` in the transaction of each.
        follow: Processor seconds of the database for what a replica reads to follow a change.
        follow_here: Processor seconds of the replica for it.
        query_here: Processor seconds of a replica for a query of one image, but for its encoder.
        image: Bytes of an image in memory, both embeddings and what is kept of it.
    """

    look: float
    look_takes: float
    change: float
    commits: float
    commits_notifying: float
    follow: float
    follow_here: float
    query_here: float
    image: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What there is.

    Attributes:
        node_cores: Of a node that serves; its encoder has an accelerator of its own.
        node_memory: Bytes of a node for classifiers.
        processes: Of a node.
        database_cores: Of a database server.
        databases: Servers that classifiers are spread over; a classifier is in one of them.
        connections: That a database server takes.
        of_process: Connections of a process.
    """

    node_cores: int = 16
    node_memory: float = 64e9
    processes: int = 4
    database_cores: int = 32
    databases: int = 1
    connections: int = 5000
    of_process: int = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is asked of the service.

    Attributes:
        queries: A second and node, of one image each.
        changes: A second and node, of one image each.
        classifiers: Of the service, for each node that it has.
        images: Of a classifier.
        in_use: Share of the processes that have a classifier in use; 1: a balancer spreads its
            queries over all of them.
    """

    queries: float = 200
    changes: float = 0.2
    classifiers: float = 50
    images: float = 1000
    in_use: float = 1.0


def shares(nodes: int, work: Work, place: Place, constants: Constants) -> dict[str, float]:
    """What part of each resource is taken.

    Args:
        nodes: That serve.
        work: What is asked.
        place: What there is.
        constants: What each costs.
    """
    processes = nodes * place.processes
    queries, changes = nodes * work.queries, nodes * work.changes
    holders = max(1.0, work.in_use * processes)
    # A process follows a change, or many at once, for a query: never oftener than it is asked.
    follows = min(changes * holders, queries)
    # A process has one look under way, whoever waits for it.
    looks = min(queries, processes / constants.look_takes)
    cores = place.databases * place.database_cores
    here = work.queries * constants.query_here + follows / nodes * constants.follow_here
    databases = place.databases
    return {
        "node: cores": here / place.node_cores,
        "node: memory": nodes
        * work.classifiers
        * work.images
        * constants.image
        * max(work.in_use, 1 / processes)
        * place.processes
        / place.node_memory,
        "connections": processes * place.of_process / (place.connections * databases),
        "db: looks": looks * constants.look / cores,
        "db: changes": changes * constants.change / cores,
        "db: following": follows * constants.follow / cores,
        "log": changes / (constants.commits * databases),
        "log if NOTIFY within": changes / (constants.commits_notifying * databases),
    }


def first(taken: dict[str, float]) -> str:
    """Which resource is full, and which is fullest if none is; what is not built does not count."""
    built = {name: share for name, share in taken.items() if "if" not in name.split()}
    database = sum(share for name, share in built.items() if name.startswith("db"))
    built = {name: share for name, share in built.items() if not name.startswith("db")}
    built["db: cores"] = database
    name, share = max(built.items(), key=lambda one: one[1])
    return f"{name} ({share:.1f})" if share >= FULL else "nothing"


def table(
    work: Work, place: Place, constants: Constants, nodes: Sequence[int] = NODES
) -> list[Row]:
    """A row for each number of nodes."""
    rows: list[Row] = []
    for number in nodes:
        taken = shares(number, work, place, constants)
        rows.append({"nodes": number, **taken, "full": first(taken)})
    return rows


def main() -> None:
    """Print three tables: as it is, with classifiers kept to few processes, and spread out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    work, place = Work(), Place()
    parser.add_argument("--queries", type=float, default=work.queries, help="a second and node")
    parser.add_argument("--changes", type=float, default=work.changes, help="a second and node")
    parser.add_argument("--classifiers", type=float, default=work.classifiers, help="a node")
    parser.add_argument("--images", type=float, default=work.images, help="a classifier")
    parser.add_argument("--databases", type=int, default=64, help="of the last table")
    parser.add_argument("--holders", type=int, default=8, help="processes of a classifier, then")
    options = parser.parse_args()
    work = replace(
        work,
        queries=options.queries,
        changes=options.changes,
        classifiers=options.classifiers,
        images=options.images,
    )
    publish(
        "scale",
        "One database, a balancer that spreads all over all",
        table(work, place, MEASURED),
    )
    rows: list[Row] = []
    spread: list[Row] = []
    for number in NODES:
        kept = replace(work, in_use=min(1.0, options.holders / (number * place.processes)))
        rows += table(kept, place, MEASURED, [number])
        several = min(options.databases, number)
        spread += table(kept, replace(place, databases=several), MEASURED, [number])
    title = f"One database, each classifier kept to {options.holders} processes"
    publish("scale_kept", title, rows)
    publish("scale_spread", f"{title}, and up to {options.databases} databases", spread)


# docs/scale.md says which of them were measured, and where.
MEASURED = Constants(
    look=65e-6,
    look_takes=209e-6,
    change=3.4e-3,
    commits=1340,
    commits_notifying=1350,
    follow=2.6e-3,
    follow_here=16e-3,
    query_here=3e-3,
    image=5.5e3,
)


if __name__ == "__main__":
    main()
