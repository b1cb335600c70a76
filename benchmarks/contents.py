"""What does it cost to keep images in a folder or a bucket instead of the database?

    python -m benchmarks.contents --latency 5

Writes images to an SQLite database as registrations of one and of fifty do, without embedding
them, and reads them one by one and in order, as downloads and an export do. The bucket is the
tests' own server on this machine, with so many milliseconds before each answer: what it shows is
how latency is hidden, not how quick anybody's storage is.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

from service.images.embedded import SupportImage
from service.settings.image_location import checked_location
from service.storage.change import Change
from service.storage.contents import Contents
from service.storage.engine import open_database
from service.storage.store import Store
from tests.service.storage.contents.s3_server import S3, serving
from tests.service.stored import OWN, TUNING, create, loaded, support


def images(count: int, size: int) -> list[SupportImage]:
    """Images of random bytes."""
    draw = random.Random(1)
    made = []
    for number in range(count):
        content = draw.randbytes(size)
        sha256 = hashlib.sha256(content).hexdigest()
        one = support(number % 256, "ant", read=lambda content=content: content, sha256=sha256)
        made.append(one._replace(image=replace(one.image, filename=f"{number}.jpg")))
    return made


def measured(folder: Path, location: str | None, some: list[SupportImage]) -> list[float]:
    """Milliseconds an image: registered one by one, by fifty; downloaded, exported."""
    engine = open_database(f"sqlite:///{folder / 'handful.db'}")
    contents = Contents.opened(engine, location, 10)
    store = Store(engine, OWN, contents=contents)
    create(store, "c", "ant")
    alone, together = some[:50], some[50:]
    steps = [[one] for one in alone]
    steps += [together[at : at + 50] for at in range(0, len(together), 50)]
    spent: dict[int, list[float]] = {1: [], 50: []}
    for step in steps:
        state = loaded(store, "c").record.state
        began = perf_counter()
        with store.placed("c", step) as put:
            store.write(state, Change(tuning=TUNING, added=tuple(put)))
        spent[len(step)].append(1000 * (perf_counter() - began) / len(step))
    ids = [record.id for record in loaded(store, "c").support]
    reads = []
    for one in ids[:100]:
        began = perf_counter()
        store.content(one)
        reads.append(1000 * (perf_counter() - began))
    began = perf_counter()
    for content in store.contents(ids):
        assert isinstance(content, bytes)
    exported = 1000 * (perf_counter() - began) / len(ids)
    contents.close()
    engine.dispose()
    return [median(spent[1]), median(spent[50]), median(reads), exported]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=550)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--latency", type=float, default=5, help="milliseconds")
    asked = parser.parse_args()
    some = images(asked.count, asked.size)
    print(f"ms an image of {asked.size} bytes: registered alone, by fifty; downloaded, exported")
    with serving(S3(delay=asked.latency / 1000)) as s3:
        os.environ.update(s3.environment)
        for name in ("database", "folder", "bucket"):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                places = {
                    "database": None,
                    "folder": checked_location(str(folder / "images")),
                    "bucket": "s3://images/benchmark",
                }
                found = measured(folder, places[name], some)
            print(f"{name:10}" + "".join(f"{one:8.2f}" for one in found))


if __name__ == "__main__":
    main()
