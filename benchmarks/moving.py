"""What a backup, a restore and a move cost: bytes a second, memory, and the queries beside it.

    python -m benchmarks.moving [--images 20000] [--kilobytes 50] [--postgresql URL]
                               [--seconds 15] [--folder FOLDER]

Fills an SQLite database straight to the tables: images of random bytes, which compress as little
as JPEGs do, with embeddings of the width of `lite`, as support images of a classifier that nobody
asks.
Then each command in a process of its own, one after the other: rates are bytes of the backup by
seconds of the command, its start included; memory is the most that was resident. With URL, of an
empty PostgreSQL database: into that one, a backup of it, and back. A FOLDER is kept,
and filled only where nothing is there.

Queries beside it: one connection asks another classifier (10 classes × 16 images of 224 pixels),
alone and for as long as a backup takes.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx
from sqlalchemy import insert, select

from benchmarks.load import Service, percentile, running
from benchmarks.load.service import PORT, kilobytes
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.servers import PREDICT, register
from service.storage.engine import open_database
from service.storage.tables import (
    ClassifierRow,
    ClassRow,
    ContentRow,
    ImageRow,
    SupportRow,
    table_of,
)

BULK, CLASSES, BATCH = "bulk", 100, 500


def command(*arguments: str, database: str, niceness: int = 0) -> tuple[float, ...]:
    """Run ``handful``; returns its seconds, those of the processor, and its most memory, in MiB."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        ["nice", "-n", str(niceness), sys.executable, "-m", "service.cli", *arguments],
        env={**os.environ, "HANDFUL_DATABASE_URL": database},
        stdout=subprocess.DEVNULL,
    )
    most = 0.0
    while True:
        # What wait4 tells of memory has in it what the process was before it was this program.
        with suppress(OSError, KeyError):  # it has ended
            most = kilobytes(Path(f"/proc/{process.pid}/status"))["VmHWM"] / 1024
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    if status != 0:
        raise SystemExit(f"handful {' '.join(arguments)} ended with {status}")
    worked = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - begin, worked, most


def fill(database: str, images: int, nbytes: int) -> None:
    """Add a classifier of so many images to a database that has another one."""
    rng = random.Random(0)
    engine = open_database(database)
    with engine.begin() as connection:
        classifiers, kept = table_of(ClassifierRow), table_of(ImageRow)
        first = connection.execute(select(classifiers)).mappings().first()
        image = connection.execute(select(kept)).mappings().first()
        assert first is not None
        assert image is not None
        bulk = 2
        connection.execute(insert(classifiers), [{**first, "id": bulk, "name": BULK}])
        connection.execute(
            insert(table_of(ClassRow)),
            [{"id": 1000 + i, "classifier_id": bulk, "label": str(i)} for i in range(CLASSES)],
        )
        widths = {name: len(image[name]) for name in ("frozen", "corrected")}
        for begin in range(0, images, BATCH):
            ids = range(100_000 + begin, 100_000 + min(begin + BATCH, images))
            connection.execute(
                insert(kept),
                [
                    {**image, "id": i, "content_key": f"{i:064x}"}
                    | {name: rng.randbytes(width) for name, width in widths.items()}
                    for i in ids
                ],
            )
            connection.execute(
                insert(table_of(ContentRow)),
                [{"image_id": i, "content": rng.randbytes(nbytes)} for i in ids],
            )
            connection.execute(
                insert(table_of(SupportRow)),
                [
                    {
                        "public_id": f"{i:032x}",
                        "class_id": 1000 + i % CLASSES,
                        "image_id": i,
                        "filename": f"{i}.jpg",
                    }
                    for i in ids
                ],
            )
    engine.dispose()


def prepared(data: Path, images: int, nbytes: int) -> tuple[str, list[str]]:
    """A filled database in a folder, and what serves it."""
    database = f"sqlite:///{data / 'handful.db'}"
    serve = [sys.executable, "-m", "service.cli", "serve", "--port", PORT, "--data-dir", str(data)]
    if not (data / "handful.db").exists():
        with running(serve, "/readyz") as service:
            register(service)
        fill(database, images, nbytes)
    return database, serve


def asked(service: Service, until: Callable[[float], bool]) -> Mapping[str, float]:
    """Ask over one connection until it is time to stop; latencies in milliseconds."""
    images, latencies, begin = queries(), [], time.perf_counter()
    with httpx.Client(base_url=service.url, timeout=60) as client:
        while not until(time.perf_counter() - begin):
            asking = time.perf_counter()
            client.post(
                PREDICT,
                content=images[len(latencies) % len(images)],
                headers={"content-type": "image/jpeg"},
            ).raise_for_status()
            latencies.append(1000 * (time.perf_counter() - asking))
    latencies.sort()
    return {"queries": len(latencies)} | {
        f"p{round(100 * share)} ms": percentile(latencies, share) for share in (0.5, 0.99)
    }


def beside(service: Service, database: str, to: Path, niceness: int) -> Mapping[str, float]:
    """Ask for as long as a backup takes."""
    ended = threading.Event()

    def back_up() -> None:
        command("backup", str(to), database=database, niceness=niceness)
        ended.set()

    thread = threading.Thread(target=back_up)
    thread.start()
    found = asked(service, lambda _: ended.is_set())
    thread.join()
    return found


def main() -> None:
    """Measure, and publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--kilobytes", type=int, default=50)
    parser.add_argument("--postgresql")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="handful-moving-") as name:
        folder = Path(name)
        data, file = options.folder or folder / "data", folder / "backup.tar"
        database, serve = prepared(data, options.images, 1000 * options.kilobytes)
        latencies: list[Row] = []
        if options.postgresql is None:
            latencies = beside_backups(database, serve, file, options.seconds)
            steps = [
                ("backup", database, str(file)),
                ("restore --check", database, str(file)),
                ("restore", f"sqlite:///{folder / 'restored.db'}", str(file)),
            ]
        else:
            back = f"sqlite:///{folder / 'back.db'}"
            steps = [
                ("migrate-store", database, f"{database} {options.postgresql}"),
                ("backup", options.postgresql, str(file)),
                ("migrate-store", database, f"{options.postgresql} {back}"),
            ]
        measured = [
            (verb, of, rest, *command(*verb.split(), *rest.split(), database=of))
            for verb, of, rest in steps
        ]
        size = file.stat().st_size / 1e6
    rows: list[Row] = []
    for verb, of, rest, seconds, worked, memory in measured:
        urls = [one for one in rest.split() if ":" in one] or [of]
        kinds = " to ".join(url.partition(":")[0].partition("+")[0] for url in urls)
        rows.append(
            {
                "command": f"{verb} ({kinds})",
                "seconds": seconds,
                "MB/s": size / seconds,
                "processor seconds": worked,
                "most memory MiB": memory,
            }
        )
    about = {"images": options.images, "backup MB": size}
    publish("moving", f"{options.images} images, {size:.0f} MB", rows, about=about)
    if latencies:
        publish("moving_beside", "Queries beside a backup", latencies, about=about)


def beside_backups(database: str, serve: list[str], file: Path, seconds: float) -> list[Row]:
    """Latencies of queries alone, and beside a backup at two priorities."""
    with running(serve, "/readyz") as service:
        asked(service, lambda passed: passed > 3)
        alone = asked(service, lambda passed: passed > seconds)
        return [
            {"beside": "nothing", **alone},
            *(
                {"beside": f"a backup (nice {level})", **beside(service, database, file, level)}
                for level in (0, 19)
            ),
        ]


if __name__ == "__main__":
    main()
