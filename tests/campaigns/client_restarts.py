"""The client while its service is killed again and again: it does not notice.

    python -m tests.campaigns.client_restarts --kills 10

Registers images and asks about others, from two threads, while the service is killed (SIGKILL) and
started again at random moments. Every image has to be registered once, and every prediction to come
in its place.
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from handful_client import Classifier, Client

from tests.client.coloured import coloured
from tests.service.server import HANDFUL
from tests.tiny_vit import write_tiny_vit


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=10)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    draw = random.Random(arguments.seed)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = str(unused.getsockname()[1])
    with TemporaryDirectory(prefix="handful-client-") as place:
        (Path(place) / "vit").mkdir()
        backbone = f"local-dir:{write_tiny_vit(Path(place) / 'vit', 0)}"
        command: list[str | Path] = [
            HANDFUL,
            "serve",
            "--port",
            port,
            "--data-dir",
            place,
            "--backbone",
            backbone,
        ]
        done = threading.Event()
        with (
            Client(f"http://127.0.0.1:{port}", patience=120) as client,
            ThreadPoolExecutor() as pool,
        ):
            process = start(command)
            client.ready()
            registering = pool.submit(register, client.classifier("a"), done)
            client.classifier("b").add("red", coloured("red", 0)).add("blue", coloured("blue", 0))
            asking = pool.submit(ask, client.classifier("b"), done)
            for _ in range(arguments.kills):
                time.sleep(draw.uniform(0, 3))
                process.kill()
                process.wait()
                process = start(command)
                client.ready()
            done.set()
            sent, asked = registering.result(), asking.result()
            held = client.classifier("a").get_class("red").n_images
            process.terminate()
            process.wait()
        assert held == sent, (held, sent)
        print(f"{arguments.kills} kills: {sent} images registered, {asked} predictions in order")


def start(command: list[str | Path]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def register(classifier: Classifier, done: threading.Event) -> int:
    """Register images until it is enough; returns how many were sent."""
    sent = 0
    while not done.is_set():
        told = classifier.register("red", [coloured("red", sent + i) for i in range(50)])
        assert len({one.id for one in told.images}) == 50
        sent += 50
    return sent


def ask(classifier: Classifier, done: threading.Event) -> int:
    """Ask until it is enough; returns how many predictions came."""
    asked = 0
    while not done.is_set():
        colours = random.Random(asked).choices(["red", "blue"], k=100)
        images = (coloured(one, 10_000 + asked + i) for i, one in enumerate(colours))
        labels = [one.label for one in classifier.predict_many(images, batch=8, top_k=1)]
        assert labels == colours
        asked += len(labels)
    return asked


if __name__ == "__main__":
    main()
