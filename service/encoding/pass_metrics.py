"""Metrics of passes: how large, how long, and what waits for them."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Gauge, Histogram

BATCH_SIZE = Histogram(
    "handful_encoder_batch_size", "Images in one pass of the encoder.", buckets=(1, 2, 4, 8, 16, 32)
)
BATCH_SECONDS = Histogram("handful_encoder_seconds", "Duration of one pass of the encoder.")
WAITING = Gauge(
    "handful_waiting_images",
    "Images sent and not yet embedded.",
    ["lane"],
    multiprocess_mode="livesum",
)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where a batcher counts: items of a pass, seconds of a pass, items that wait by priority."""

    size: Histogram
    seconds: Histogram
    waiting: Gauge


IMAGES = Metrics(BATCH_SIZE, BATCH_SECONDS, WAITING)
