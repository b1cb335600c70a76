"""What the agreement of several processes costs: checks, changes, and following them."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import torch
from sqlalchemy import Engine, bindparam, func, select
from sqlalchemy.orm import Session
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from adapters.loading import load_backbone
from benchmarks.published import Row
from benchmarks.replicas.database import Processors, fresh_database, statistics
from service.classifier_settings import ClassifierSettings
from service.images.embedded import EmbeddedImage, SupportImage
from service.quotas.gcra import Charge
from service.storage.change import Change, NewClass
from service.storage.database_meters import DatabaseMeters
from service.storage.engine import open_database
from service.storage.fingerprints import Origin
from service.storage.notifications import CHANNEL, Notifications
from service.storage.recording import Recorded
from service.storage.store import Store
from tests.service.registries import SETTINGS, plain_store, registry
from tests.service.registries import image as support
from tests.tiny_vit import write_tiny_vit

OWN = Origin("f" * 64, "lite")
WIDTH = 512
_TELL = select(func.pg_notify(CHANNEL, bindparam("said")))


def percentile(values: list[float], share: float) -> float:
    """The value that so many are not above."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextmanager
def store(names: int) -> Iterator[tuple[str, Engine, Store]]:
    """A database with so many classifiers, named by numbers."""
    with fresh_database() as url:
        engine = open_database(url)
        made = Store(engine, OWN)
        for number in range(names):
            made.create(
                str(number),
                Change(
                    settings=ClassifierSettings(),
                    tuning=Tuning(),
                    classes_added=(NewClass(label="ant"),),
                ),
            )
        try:
            yield url, engine, made
        finally:
            made.close()
            engine.dispose()


def repeated(call: Callable[[int], object], threads: int, seconds: float) -> list[float]:
    """Seconds of each call, of so many threads that call again and again."""
    ends = time.perf_counter() + seconds

    def work(number: int) -> list[float]:
        took = []
        while (begun := time.perf_counter()) < ends:
            call(number)
            took.append(time.perf_counter() - begun)
        return took

    with ThreadPoolExecutor(threads) as pool:
        return [one for some in pool.map(work, range(threads)) for one in some]


def checks(seconds: float) -> list[Row]:
    """How long a look at a revision takes, alone and beside others, in one process."""
    rows: list[Row] = []
    with store(4) as (url, _, made):
        ways: dict[str, Callable[[str], Any]] = {
            "a transaction each": made.state,
            "combined": made.latest_state,
        }
        for threads in (1, 8, 32):
            for name, look in ways.items():
                repeated(lambda i, look=look: look(str(i % 4)), threads, 0.3)  # type: ignore[misc]
                processors, before = Processors(url, []), statistics(url)
                begun = time.perf_counter()
                took = repeated(
                    lambda i, look=look: look(str(i % 4)),  # type: ignore[misc]
                    threads,
                    seconds,
                )
                lasted = time.perf_counter() - begun
                used = processors.used()
                time.sleep(1.1)  # backends report no oftener
                after = statistics(url)
                rows.append(
                    {
                        "look at a revision": name,
                        "threads": threads,
                        "p50 us": 1e6 * percentile(took, 0.5),
                        "p99 us": 1e6 * percentile(took, 0.99),
                        "looks/s": len(took) / lasted,
                        "transactions/s": (after["transactions"] - before["transactions"]) / lasted,
                        "PostgreSQL, us a look": 1e6 * used["postgresql"] / len(took),
                        "this process, us a look": 1e6 * used["this"] / len(took),
                    }
                )
    return rows


def image(seed: int) -> EmbeddedImage:
    """An image of random embeddings without bytes."""
    rows = normalize(torch.randn(2, 1, WIDTH, generator=torch.Generator().manual_seed(seed)))
    return EmbeddedImage(
        filename="a.png",
        read=bytes,
        sha256=f"{seed:064x}",
        media_type="image/png",
        width=4,
        height=3,
        fingerprint=OWN.fingerprint,
        embeddings=ImageEmbeddings(rows[0], rows[1]),
    )


def within(session: Session, recorded: Recorded) -> None:
    """A recorder that notifies in the transaction of the change."""
    session.execute(_TELL, {"said": f"classifier {recorded.name}"})


def changes(seconds: float) -> list[Row]:
    """How many changes a second a database takes, each of one image, of a classifier a thread."""
    rows: list[Row] = []
    turn = iter(range(1, 10**9))
    for writers in (1, 4, 16):
        for way in ("none", "after the commit", "within"):
            with store(writers) as (url, engine, plain):
                notifications = Notifications.of(engine)
                assert notifications is not None
                notifications.begin({})
                made = {
                    "none": plain,
                    "after the commit": plain.recording([notifications]),
                    "within": plain.recording([within]),
                }[way]
                states = [made.state(str(number)) for number in range(writers)]
                loaded = made.load("0")
                assert loaded is not None
                class_ids = [
                    made.classes(made.classifier(str(i)))[0][0].id  # type: ignore[arg-type]
                    for i in range(writers)
                ]

                def add(
                    number: int, made: Store = made, states: list[Any] = states,
                    class_ids: list[int] = class_ids,
                ) -> None:  # fmt: skip
                    state = states[number]
                    new = (SupportImage("ant", image(next(turn))),)
                    written = made.write(state, Change(added=new))
                    states[number] = state._replace(
                        revision=written.revision, content_revision=written.content_revision
                    )

                repeated(add, writers, 0.3)
                processors, begun = Processors(url, []), time.perf_counter()
                took = repeated(add, writers, seconds)
                lasted, used = time.perf_counter() - begun, processors.used()
                notifications.close()
                rows.append(
                    {
                        "NOTIFY": way,
                        "writers": writers,
                        "changes/s": len(took) / lasted,
                        "p50 ms": 1e3 * percentile(took, 0.5),
                        "p99 ms": 1e3 * percentile(took, 0.99),
                        "PostgreSQL, ms a change": 1e3 * used["postgresql"] / len(took),
                        "this process, ms a change": 1e3 * used["this"] / len(took),
                    }
                )
    return rows


def rates(seconds: float) -> list[Row]:
    """What a request waits for two buckets in the database, alone and beside others."""
    rows: list[Row] = []
    with store(0) as (url, engine, _made):
        for clients in (1, 16, 64):
            meters = DatabaseMeters(engine)
            charges = [Charge("key", 1, 1e6), Charge("tenant", 1, 1e6)]

            async def client(
                until: float, meters: DatabaseMeters = meters, charges: list[Charge] = charges
            ) -> list[float]:
                took = []
                while (begun := time.perf_counter()) < until:
                    found = meters.take(charges)
                    if isinstance(found, list):
                        raise SystemExit("the database does not answer")
                    await found
                    took.append(time.perf_counter() - begun)
                return took

            async def together(
                clients: int = clients,
                client: Callable[[float], Any] = client,
            ) -> list[float]:
                until = time.perf_counter() + seconds
                each = await asyncio.gather(*(client(until) for _ in range(clients)))
                return [one for some in each for one in some]

            asyncio.run(client(time.perf_counter() + 0.3))
            processors, begun = Processors(url, []), time.perf_counter()
            took = asyncio.run(together())
            lasted, used = time.perf_counter() - begun, processors.used()
            meters.close()
            rows.append(
                {
                    "requests at a time": clients,
                    "p50 ms": 1e3 * percentile(took, 0.5),
                    "p99 ms": 1e3 * percentile(took, 0.99),
                    "requests/s": len(took) / lasted,
                    "PostgreSQL, us a request": 1e6 * used["postgresql"] / len(took),
                    "this process, us a request": 1e6 * used["this"] / len(took),
                }
            )
    return rows


def follows(rounds: int) -> list[Row]:
    """What it costs a replica, and the database, to follow a change of one image."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place, fresh_database() as url:
        backbone = load_backbone(f"local-dir:{write_tiny_vit(Path(place))}", "cpu")
        engine = open_database(url)
        here, there = (
            registry(plain_store(engine, backbone), backbone, 10**9, one_of_several=True)
            for _ in range(2)
        )
        for images in (100, 1000):
            name = str(images)
            here.put(name, SETTINGS, ["ant", "bee"])
            here.add_images(name, [("ant" if i % 2 else "bee", support(i)) for i in range(images)])
            there.live(name)
            took, this, sessions = list[float](), 0.0, 0.0
            for turn in range(rounds):
                here.add_images(name, [("ant", support(10**6 + turn))])
                processors = Processors(url, [])
                begun, used = time.perf_counter(), time.thread_time()
                there.live(name)
                this += time.thread_time() - used
                took.append(time.perf_counter() - begun)
                sessions += processors.used()["postgresql"]
            rows.append(
                {
                    "images": images,
                    "p50 ms": 1e3 * percentile(took, 0.5),
                    "p99 ms": 1e3 * percentile(took, 0.99),
                    "PostgreSQL, ms": 1e3 * sessions / rounds,
                    "this thread, ms": 1e3 * this / rounds,
                    "MB in memory": there.live(name).nbytes / 1e6,
                }
            )
        engine.dispose()
    return rows


def commits(seconds: float) -> list[Row]:
    """How many small transactions a second the log of a database takes, with NOTIFY in them or not.

    Each writer updates a row of its own, so that nothing but the log and NOTIFY is shared.
    """
    rows: list[Row] = []
    with fresh_database() as url:
        where = url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(where, autocommit=True) as made:
            made.execute("CREATE TABLE counted (id int PRIMARY KEY, n int) WITH (fillfactor = 10)")
            made.execute("INSERT INTO counted SELECT i, 0 FROM generate_series(0, 63) AS i")
        for writers in (1, 8, 32):
            for notifies in (False, True):
                with ExitStack() as stack:
                    connections = [
                        stack.enter_context(psycopg.connect(where, autocommit=True))
                        for _ in range(writers)
                    ]

                    def commit(
                        number: int,
                        connections: list[psycopg.Connection] = connections,
                        notifies: bool = notifies,
                    ) -> None:
                        with connections[number].pipeline(), connections[number].transaction():
                            connections[number].execute(_COUNT, [number])
                            if notifies:
                                connections[number].execute(_SAY, [CHANNEL, str(number)])

                    repeated(commit, writers, 0.3)
                    begun = time.perf_counter()
                    took = repeated(commit, writers, seconds)
                    lasted = time.perf_counter() - begun
                rows.append(
                    {
                        "NOTIFY within": "yes" if notifies else "no",
                        "writers": writers,
                        "commits/s": len(took) / lasted,
                        "p50 ms": 1e3 * percentile(took, 0.5),
                        "p99 ms": 1e3 * percentile(took, 0.99),
                    }
                )
    return rows


_COUNT = "UPDATE counted SET n = n + 1 WHERE id = %s"
_SAY = "SELECT pg_notify(%s, %s)"
