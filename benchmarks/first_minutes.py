"""How long a person waits: start to ready, registration to first answer, one query.

    .venv/bin/python benchmarks/first_minutes.py

Starts `handful serve` on an empty database, registers 10 classes of 16 images in one call (224-
pixel JPEGs cut from scikit-image's photographs), asks once, then asks 50 times one by one.
"""

from __future__ import annotations

import io
import statistics
import time
import zipfile

import httpx2 as httpx
import numpy as np
import skimage.data
from PIL import Image
from rich.console import Console
from rich.table import Table

from service.demo.walk import running_service

CLASSES, SHOTS, SIDE, QUERIES = 10, 16, 224, 50


def patch(rng: np.random.Generator, photo: Image.Image) -> bytes:
    """A random JPEG cut from a photograph."""
    x, y = (int(rng.integers(0, side - SIDE)) for side in photo.size)
    buffer = io.BytesIO()
    photo.crop((x, y, x + SIDE, y + SIDE)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def main() -> None:
    """Measure and print a table."""
    rng = np.random.default_rng(0)
    names = ("astronaut", "chelsea", "coffee", "rocket", "brick", "grass", "gravel")
    photos = [Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in names]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for label in range(CLASSES):
            for shot in range(SHOTS):
                photo = photos[label % len(photos)]
                zipped.writestr(f"class {label}/{shot}.jpg", patch(rng, photo))
    console = Console()
    started = time.perf_counter()
    with running_service(console) as client:
        ready = time.perf_counter() - started
        client.put("/v1/classifiers/benchmark").raise_for_status()

        def ask() -> float:
            begun = time.perf_counter()
            answer = client.post(
                "/v1/classifiers/benchmark/predict",
                content=patch(rng, photos[0]),
                headers={"content-type": "image/jpeg"},
            )
            assert answer.status_code == httpx.codes.OK, answer.text
            return time.perf_counter() - begun

        begun = time.perf_counter()
        client.post(
            "/v1/classifiers/benchmark/support",
            content=archive.getvalue(),
            headers={"content-type": "application/zip"},
        ).raise_for_status()
        registered = time.perf_counter() - begun
        ask()
        answered = time.perf_counter() - begun
        times = sorted(ask() for _ in range(QUERIES))
    table = Table("what", "seconds")
    table.add_row("start to ready", f"{ready:.1f}")
    table.add_row(f"register {CLASSES} classes x {SHOTS} images in one call", f"{registered:.1f}")
    table.add_row("the same, up to the first answer", f"{answered:.1f}")
    table.add_row("one query, median", f"{statistics.median(times):.3f}")
    table.add_row("one query, 95th percentile", f"{times[int(0.95 * QUERIES)]:.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
