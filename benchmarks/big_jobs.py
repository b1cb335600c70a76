"""What big jobs cost: images of many classes in one request, and thousands of names at once.

    python -m benchmarks.big_jobs [--only images|names] [--rounds 3] [--names 10000]
        [--precision float32]

`images`: 2000 images (224-pixel JPEGs) go into 10 classes and into 1000, each with one request. The
floor of a round is the bare pass of the encoder over as many images, and ratios are to that.

`names`: a classifier is declared with as many class names, and again under another name. The floor
is the bare text tower over the same prompts, in batches of prompts of one length; beside it, one
connection asks another classifier about one image after the other, and its latencies are compared
with those alone.
"""

from __future__ import annotations

import argparse
import io
import itertools
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from statistics import median

import httpx2 as httpx
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

from adapters.backbones import Backbone
from adapters.backbones.backbone import prompt
from benchmarks.floor import Floor, Way
from benchmarks.load import Plan, Request, Service, load
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.servers import PREDICT, handful, register
from service.encoder import load_encoder
from service.settings import Settings

IMAGES = 2000
_PATIENCE = 600.0
_PROPERTIES = ("small", "large", "old", "new", "red", "blue", "young", "wet", "broken", "painted")
_ZIP = {"content-type": "application/zip"}


@cache
def names(count: int) -> tuple[str, ...]:
    """Different class names: those of ImageNet, and the same with adjectives before them."""
    known = sorted({name.replace("/", " ") for name in IMAGENET_CLASSNAMES})
    more = (f"{which} {name}" for which in _PROPERTIES for name in known)
    return tuple(itertools.islice(itertools.chain(known, more), count))


def archive(files: Sequence[bytes], n_classes: int) -> bytes:
    """A zip of :data:`IMAGES` different files in so many classes."""
    labels = names(n_classes)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as zipped:
        for i in range(IMAGES):
            # A few bytes more at the end make another image of it, and none that looks otherwise.
            content = files[i % len(files)] + str(i).encode()
            zipped.writestr(f"{labels[i % n_classes]}/{i}.jpg", content)
    return written.getvalue()


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def created(client: httpx.Client, name: str, labels: Sequence[str] = ()) -> float:
    """Seconds until a classifier with these classes is there."""
    path = f"/v1/classifiers/{name}"
    body = {"classes": list(labels)}
    return timed(lambda: client.put(path, json=body).raise_for_status())


def registered(client: httpx.Client, body: bytes) -> float:
    """Seconds that a new classifier takes to register a zip; it is deleted afterwards."""
    path = "/v1/classifiers/big"
    created(client, "big")
    taken = timed(
        lambda: client.post(f"{path}/support", content=body, headers=_ZIP).raise_for_status()
    )
    client.delete(path).raise_for_status()
    return taken


def images(backbone: Backbone, rounds: int) -> list[Row]:
    """Measure registrations."""
    files = queries(200)
    floor = Floor(backbone, files)
    way = Way(backbone.batch, backbone.passes)
    bodies = {count: archive(files, count) for count in (10, 1000)}
    found: dict[str, list[float]] = {}
    with (
        handful(precision=backbone.recipe.precision) as service,
        httpx.Client(base_url=service.url, timeout=_PATIENCE) as client,
    ):
        registered(client, bodies[10])
        for number in range(rounds):
            bare = IMAGES / floor.forward_rate(way, 2.0)
            found.setdefault("bare pass", []).append(bare)
            for count, body in bodies.items():
                # Its names were embedded for the round before.
                known = count > 10 and number > 0
                what = f"{count} classes" + (", names known" if known else "")
                found.setdefault(what, []).append(registered(client, body))
    bare_of = found["bare pass"]
    return [
        {
            "what": what,
            "seconds": median(seconds),
            "/ bare pass": median(seconds) / median(bare_of),
            "lowest": min(seconds) / max(bare_of),
            "highest": max(seconds) / min(bare_of),
        }
        for what, seconds in found.items()
    ]


def text_floor(backbone: Backbone, prompts: Sequence[str]) -> float:
    """Seconds of the bare text tower, with all threads, prompts of one length together."""
    ordered = sorted(prompts, key=len)
    batches = [ordered[i : i + 64] for i in range(0, len(ordered), 64)]
    backbone.encode_texts(batches[-1])
    return timed(lambda: [backbone.encode_texts(batch) for batch in batches])


def asked(service: Service, seconds: float) -> dict[str, float]:
    """Latencies of one query after the other, in ms."""
    requests = [Request.post(PREDICT, content, "image/jpeg") for content in queries(50)]
    report = load(Plan(service.port, requests, 1, seconds, warm_up=0.5))
    if report.errors:
        raise SystemExit(f"not all were answered: {dict(report.outcomes)}")
    return {"p50, ms": 1000 * report.latency(0.5), "p99, ms": 1000 * report.latency(0.99)}


def declared(backbone: Backbone, count: int, rounds: int) -> tuple[list[Row], list[Row]]:
    """Measure declarations alone, and queries beside them."""
    found: dict[str, list[float]] = {}
    beside: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        prompts = [prompt(name, backbone.templates[0]) for name in names(count)]
        some = prompts[:: max(1, count // 2000)]
        bare = text_floor(backbone, some) * count / len(some)
        found.setdefault("bare text tower", []).append(bare)
        with (
            handful(precision=backbone.recipe.precision) as service,
            httpx.Client(base_url=service.url, timeout=_PATIENCE) as client,
        ):
            register(service)
            found.setdefault("declared", []).append(created(client, "one", names(count)))
            found.setdefault("again", []).append(created(client, "two", names(count)))
            client.delete("/v1/classifiers/one").raise_for_status()
            found.setdefault("re-created", []).append(created(client, "one", names(count)))
            beside.setdefault("alone", []).append(asked(service, 5.0))
            others = [f"{name} again" for name in names(count)]
            thread = threading.Thread(target=created, args=(client, "three", others))
            thread.start()
            beside.setdefault("beside a declaration", []).append(asked(service, 5.0))
            found.setdefault("declared beside queries, still running", []).append(
                timed(thread.join)
            )
    rows: list[Row] = [
        {
            "what": what,
            "seconds": median(seconds),
            "/ bare": median(seconds) / median(found["bare text tower"]),
            "lowest": min(seconds),
            "highest": max(seconds),
        }
        for what, seconds in found.items()
    ]
    of_queries: list[Row] = [
        {
            "queries": what,
            **{name: median(one[name] for one in rows_) for name in rows_[0]},
            "p99 / alone": median(
                one["p99, ms"] / alone["p99, ms"]
                for one, alone in zip(rows_, beside["alone"], strict=True)
            ),
        }
        for what, rows_ in beside.items()
    ]
    return rows, of_queries


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("images", "names"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", type=int, default=10_000)
    precisions = ("float32", "bfloat16", "int8")
    parser.add_argument("--precision", choices=precisions, default="float32")
    arguments = parser.parse_args()
    backbone = load_encoder(Settings(precision=arguments.precision))
    about = {"rounds": arguments.rounds, "recipe": str(backbone.recipe), "engine": backbone.engine}
    if arguments.only != "names":
        rows = images(backbone, arguments.rounds)
        publish("big_jobs_images", f"Registration of {IMAGES} images", rows, about=about)
    if arguments.only != "images":
        rows, of_queries = declared(backbone, arguments.names, arguments.rounds)
        title = f"Declaration of {arguments.names} names"
        publish("big_jobs_names", title, rows, about=about)
        publish("big_jobs_queries", "Queries beside a declaration", of_queries, about=about)


if __name__ == "__main__":
    main()
