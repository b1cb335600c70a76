"""A service whose encoder takes a fixed time an image, and no processor.

    python -m benchmarks.replicas.stand_in SECONDS PORT [quiet] [uncombined]

Settings are those of ``HANDFUL_...``. All is as in ``handful serve`` but for the pass of the image
tower: it sleeps, as a thread does that waits for an accelerator, and makes the embedding of some of
the pixels. So what a service does besides can be measured on a machine whose cores one encoder
would take. ``quiet`` has it hear no notifications; ``uncombined`` has it look at a revision in a
transaction of its own for each query, as before there were combined reads.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import uvicorn
from torch import Tensor
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from adapters.recipe import ChooseRecipe, Recipe
from service.api.app import create_app
from service.composition import ServiceParts
from service.encoder import load_encoder
from service.serving.connections import ConnectionLimits, Connections
from service.serving.graceful_shutdown import handle_termination_signals
from service.serving.logging_setup import configure_logging
from service.serving.server_config import CancelledAsEnded, server_config
from service.settings import Settings
from service.storage.notifications import Notifications
from service.storage.reader import Reader

# Images of a pass.
_BATCH = 8


class StandIn:
    """An encoder, but for its pass; whatever else is asked is asked of the one it stands in for.

    Args:
        encoder: That one.
        seconds: That an image takes.
    """

    passes = 1
    batch = _BATCH

    def __init__(self, encoder: Any, seconds: float) -> None:
        self._encoder = encoder
        self._seconds = seconds
        self._turn = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_pictures(
        self, pictures: Sequence[Tensor], *, background: bool = False
    ) -> ImageEmbeddings:
        """As of the protocol, after so many times the seconds, one pass at a time."""
        with self._turn:
            time.sleep(self._seconds * len(pictures))
        width = self._encoder.width
        rows = torch.stack([_means(one, width) for one in pictures])
        return ImageEmbeddings(rows, rows)

    def encode_images(self, pixels: Tensor) -> ImageEmbeddings:
        """As of the protocol."""
        return self.encode_pictures(list(pixels))


def _means(picture: Tensor, width: int) -> Tensor:
    """A unit vector that depends on a few of the pixels, so that it costs next to nothing."""
    flat = picture.reshape(-1)
    some = flat[:: max(1, len(flat) // width)][:width].float()
    return normalize(some - some.mean() + 1e-3, dim=0)


def load(seconds: float, settings: Settings, recipe: Recipe | ChooseRecipe) -> Any:
    """What :meth:`ServiceParts.start` loads the encoder with."""
    return StandIn(load_encoder(settings, recipe), seconds)


def main() -> None:
    """Serve until told to end."""
    if "quiet" in sys.argv:
        Notifications.of = classmethod(lambda *_: None)  # type: ignore[assignment, method-assign]
    if "uncombined" in sys.argv:
        Reader.latest_state = Reader.state  # type: ignore[method-assign]
    seconds, settings = float(sys.argv[1]), Settings(port=int(sys.argv[2]))
    configure_logging(settings)
    connections, ready = Connections(ConnectionLimits.of(settings)), threading.Event()

    def start(settings: Settings) -> ServiceParts:
        parts = ServiceParts.start(settings, partial(load, seconds))
        ready.set()
        return parts

    def application() -> CancelledAsEnded:
        handle_termination_signals(connections, settings.shutdown_seconds, ready)
        return CancelledAsEnded(create_app(settings, start=start))

    uvicorn.Server(server_config(settings, connections, application)).run()


if __name__ == "__main__":
    main()
