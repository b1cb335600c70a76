"""What many classifiers in one process cost: memory, latency, loading one again.

    python -m benchmarks.many_classifiers [--classifiers 10000] [--queries 200] [--database FOLDER]

Writes a database of classifiers of 5 classes × 10 images, straight to the tables: embeddings are
drawn (a direction for each class and noise, without negative components, as the corrected ones of
`lite`), no image is kept, and the tuning of the first one serves all. Some 8 KB an image: 4 GB for
10 000. A FOLDER is kept and filled only where something is missing.

Then starts the service on it and asks, one query after the other (224-pixel JPEGs): one classifier
again and again; one drawn evenly each time; one drawn by Zipf's law. Rounds of each in turn. A
ratio is that of a round's medians to that of the one classifier in the same round; the median of
all rounds is shown.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import httpx2 as httpx
import numpy as np
import skimage.data
import torch
from matplotlib.axes import Axes
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.nn.functional import normalize

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from benchmarks.load.service import kilobytes
from benchmarks.published import Row, publish
from service.classifier_settings import ClassifierSettings
from service.encoder import load_encoder
from service.images.embedded import EmbeddedImage, SupportImage
from service.settings import Settings
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.fingerprints import Origin
from service.storage.store import Store

CLASSES, SHOTS, SIDE, ROUNDS = 5, 10, 224, 5
LABELS = [f"class {label}" for label in range(CLASSES)]
COLUMNS = torch.arange(CLASSES).repeat_interleave(SHOTS)
ONE, EVENLY, ZIPF = "one classifier", "drawn evenly", "drawn by Zipf's law"


# The database


def name_of(number: int) -> str:
    """A classifier's name."""
    return f"c{number}"


def drawn_support(backbone: Backbone, number: int) -> ImageEmbeddings:
    """Both embeddings of the images of a classifier."""
    rng = torch.Generator().manual_seed(number)

    def rows(width: int) -> Tensor:
        centres = torch.randn(CLASSES, width, generator=rng)
        return 0.6 * centres[COLUMNS] + torch.randn(len(COLUMNS), width, generator=rng)

    frozen, corrected = rows(backbone.width), rows(backbone.corrected_width)
    return ImageEmbeddings(normalize(frozen), normalize(corrected.relu()))


def fill(folder: Path, count: int) -> None:
    """Write the classifiers that are missing."""
    settings = Settings(data_dir=folder)
    backbone = load_encoder(settings)
    engine = open_database(settings.sqlalchemy_url)
    store = Store(engine, Origin(backbone.fingerprint, backbone.name), store_images=False)
    complete = {record.name for record in store.classifiers() if record.n_images}
    texts = list(backbone.encode_classes(LABELS, ()))
    support = SupportSet(torch.arange(len(COLUMNS)), COLUMNS.clone(), drawn_support(backbone, 0))
    tuning = FewShotClassifier(logit_scale=backbone.logit_scale).tune(
        ClassSet(torch.arange(CLASSES), torch.stack(texts)), support.labelled
    )
    missing = [number for number in range(count) if name_of(number) not in complete]
    for number in track(missing, "writing classifiers"):
        write(store, backbone, number, tuning, texts)
    engine.dispose()


def write(
    store: Store, backbone: Backbone, number: int, tuning: Tuning, texts: list[Tensor]
) -> None:
    """Write one classifier with its images."""
    name = name_of(number)
    if store.classifier(name) is None:  # otherwise left half done
        classes = tuple(
            NewClass(label=label, text=text) for label, text in zip(LABELS, texts, strict=True)
        )
        store.create(
            name, Change(settings=ClassifierSettings(), tuning=tuning, classes_added=classes)
        )
    record = store.classifier(name)
    assert record is not None
    embeddings = drawn_support(backbone, number)
    images = tuple(
        SupportImage(
            LABELS[int(COLUMNS[row])],
            EmbeddedImage(
                filename=f"image {row}.jpg",
                read=bytes,
                sha256=hashlib.sha256(f"{number}/{row}".encode()).hexdigest(),
                media_type="image/jpeg",
                width=SIDE,
                height=SIDE,
                fingerprint=backbone.fingerprint,
                embeddings=embeddings[row : row + 1],
            ),
        )
        for row in range(len(COLUMNS))
    )
    store.write(record.state, Change(tuning=tuning, added=images))


# The service


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    client: httpx.Client
    process: int

    def memory(self) -> dict[str, float]:
        """Resident memory now and at its highest, in MiB."""
        found = kilobytes(Path(f"/proc/{self.process}/status"))
        return {"now": found["VmRSS"] / 1024, "highest": found["VmHWM"] / 1024}

    def metrics(self) -> dict[str, float]:
        """What it counts of its classifiers."""
        told = self.client.get("/metrics").text
        return {
            name: float(value) for name, value in re.findall(r"^(handful_\w+) (\S+)$", told, re.M)
        }

    def ask(self, number: int, jpeg: bytes) -> float:
        """Milliseconds until the answer."""
        begun = time.perf_counter()
        answer = self.client.post(
            f"/v1/classifiers/{name_of(number)}/predict",
            content=jpeg,
            headers={"content-type": "image/jpeg"},
        )
        took = time.perf_counter() - begun
        assert answer.status_code == httpx.codes.OK, answer.text
        return 1e3 * took


@contextmanager
def serving(folder: Path) -> Iterator[Service]:
    """The service on the database of a folder."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--data-dir", folder],
            env=os.environ | {"HANDFUL_STORE_IMAGES": "false"},
            stdout=output,
            stderr=output,
        )
    try:
        url = None
        while url is None or httpx.get(f"{url}/readyz").status_code != httpx.codes.OK:
            if process.poll() is not None:
                raise RuntimeError(f"the service has ended: {log.read_text()[-2000:]}")
            time.sleep(0.2)
            if url is None and (found := re.search(r"running on (http://\S+)", log.read_text())):
                url = found[1]
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Service(client, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def patches(rng: np.random.Generator, count: int = 64) -> list[bytes]:
    """Different JPEGs cut from photographs."""
    photographs = [
        Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        for name in ("astronaut", "chelsea", "coffee", "rocket")
    ]
    cut = []
    for i in range(count):
        photograph = photographs[i % len(photographs)]
        x, y = (int(rng.integers(0, side - SIDE)) for side in photograph.size)
        buffer = io.BytesIO()
        photograph.crop((x, y, x + SIDE, y + SIDE)).save(buffer, "JPEG", quality=90)
        cut.append(buffer.getvalue())
    return cut


# The measurement


def measure(service: Service, count: int, queries: int) -> tuple[list[Row], dict[str, list[float]]]:
    """Rows of the table, and all latencies in milliseconds."""
    rng = np.random.default_rng(0)
    jpegs = patches(rng)
    shares = 1 / np.arange(1, count + 1)
    order = rng.permutation(count)
    draws = {
        ONE: lambda: 0,
        EVENLY: lambda: int(rng.integers(count)),
        ZIPF: lambda: int(order[rng.choice(count, p=shares / shares.sum())]),
    }
    for _ in range(30):
        service.ask(0, jpegs[0])
    times: dict[str, list[list[float]]] = defaultdict(list)
    loads: dict[str, list[tuple[float, float]]] = defaultdict(list)
    memory: dict[str, float] = {"started": service.memory()["now"]}
    for _ in range(ROUNDS):
        for what, draw in draws.items():
            before = service.metrics()
            times[what].append([service.ask(draw(), jpegs[i % 64]) for i in range(queries)])
            after = service.metrics()
            name = "handful_classifier_load_seconds"
            loads[what].append(
                tuple(after[f"{name}_{x}"] - before[f"{name}_{x}"] for x in ("count", "sum"))
            )
            memory[what] = service.memory()["now"]
    rows: list[Row] = []
    for what, rounds in times.items():
        ratios = [
            statistics.median(mine) / statistics.median(one)
            for mine, one in zip(rounds, times[ONE], strict=True)
        ]
        every = [took for took_in_round in rounds for took in took_in_round]
        loaded, seconds = (sum(column) for column in zip(*loads[what], strict=True))
        rows.append(
            {
                "classifier": what,
                "queries": len(every),
                "median ms": statistics.median(every),
                "p95 ms": float(np.percentile(every, 95)),
                "median / one's": statistics.median(ratios),
                "loads": int(loaded),
                "ms a load": 1e3 * seconds / loaded if loaded else 0.0,
                "RSS MiB": memory[what],
            }
        )
    return rows, {what: list(chain.from_iterable(rounds)) for what, rounds in times.items()}


def main() -> None:
    """Fill the database, measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classifiers", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=200, help="of each kind in each round")
    parser.add_argument("--database", type=Path, help="folder to keep the database in")
    parser.add_argument("--fill", action="store_true", help="only write the database")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.database or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        fill(folder, arguments.classifiers)
        if arguments.fill:
            return
        begun = time.perf_counter()
        with serving(folder) as service:
            ready = time.perf_counter() - begun
            started = service.memory()["now"]
            rows, times = measure(service, arguments.classifiers, arguments.queries)
            counted, memory = service.metrics(), service.memory()

    def plot(axes: Axes) -> None:
        for what, took in times.items():
            axes.ecdf(took, label=what)
        axes.set_xlabel("latency of a query, ms")
        axes.set_ylabel("share of queries")
        axes.set_xlim(0, 1.2 * max(np.percentile(took, 98) for took in times.values()))
        axes.legend()

    publish(
        "many_classifiers",
        f"{arguments.classifiers} classifiers of {len(COLUMNS)} images",
        rows,
        plot=plot,
        about={
            "classifiers": arguments.classifiers,
            "seconds to ready": ready,
            "RSS MiB when started": started,
            "RSS MiB at the end": memory["now"],
            "RSS MiB at the highest": memory["highest"],
            "classifiers in memory": counted["handful_classifiers_loaded"],
            "MiB of these, as counted": counted["handful_classifiers_bytes"] / 2**20,
        },
    )
    print(
        f"ready after {ready:.1f} s with {started:.0f} MiB; at the end {memory['now']:.0f} MiB "
        f"(highest {memory['highest']:.0f}), {counted['handful_classifiers_loaded']:.0f} "
        f"classifiers in memory take {counted['handful_classifiers_bytes'] / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
