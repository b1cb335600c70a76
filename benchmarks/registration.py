"""How long it takes from a zip of labelled images to the first answer.

    python -m benchmarks.registration [--rounds 7]

Each round makes a new classifier of 10 classes of 16 images (224-pixel JPEGs) with one call, asks
once, and deletes it. Before that, in the same round, the floor: decoding and preprocessing the
same 160 images on all cores, then their bare forward pass. What the service does besides: it reads
the zip, embeds the class names, tunes by leave-one-out and writes everything to disk.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import median

import httpx2 as httpx
from matplotlib.axes import Axes

from benchmarks.floor import Floor
from benchmarks.photographs import queries, support, zipped_support
from benchmarks.published import Row, publish
from benchmarks.rounds import ratios
from benchmarks.servers import CLASSIFIER, PREDICT, handful
from service.encoder import load_encoder
from service.settings import Settings


def once(client: httpx.Client, archive: bytes, query: bytes) -> dict[str, float]:
    """Seconds of each step, from the beginning."""
    client.put(CLASSIFIER).raise_for_status()
    begin = time.perf_counter()
    client.post(
        f"{CLASSIFIER}/support", content=archive, headers={"content-type": "application/zip"}
    ).raise_for_status()
    registered = time.perf_counter() - begin
    client.post(PREDICT, content=query, headers={"content-type": "image/jpeg"}).raise_for_status()
    answered = time.perf_counter() - begin
    client.delete(CLASSIFIER).raise_for_status()
    return {"registered": registered, "first answer": answered}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    files = list(support().values())
    floor = Floor(load_encoder(Settings()), files)
    way, _ = floor.best(0.3)
    archive, query = zipped_support(), queries(1)[0]
    cores = len(os.sched_getaffinity(0))
    times: list[dict[str, float]] = []
    with handful() as service, httpx.Client(base_url=service.url, timeout=300) as client:
        once(client, archive, query)
        for _ in range(arguments.rounds):
            decode = len(files) / floor.prepare_rate(cores, 0.5)
            forward = len(files) / floor.forward_rate(way, 1.0)
            bare = {"decode": decode, "forward": forward, "decode and forward": decode + forward}
            times.append(bare | once(client, archive, query))
    floors = [row["decode and forward"] for row in times]
    rows: list[Row] = []
    for what in times[0]:
        found = [row[what] for row in times]
        rows.append({"what": what, "seconds": median(found), **ratios(found, floors)})

    def plot(axes: Axes) -> None:
        axes.barh([str(row["what"]) for row in rows], [float(row["seconds"]) for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel("seconds")

    publish(
        "registration",
        f"Registration of {len(files)} images; ratios to decode and forward of a round",
        rows,
        plot=plot,
        about={"rounds": arguments.rounds, "runtime": floor.backbone.engine},
    )


if __name__ == "__main__":
    main()
