"""What a process counts whose batches another one encodes, which counts its passes itself."""

from __future__ import annotations

from prometheus_client import Histogram

from service.encoding.pass_metrics import IMAGES, Metrics

HAND_OVERS = Metrics(
    Histogram(
        "handful_hand_over_size",
        "Images handed over to an encoder process together.",
        buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
    ),
    Histogram("handful_hand_over_seconds", "From handing images over until their rows are back."),
    IMAGES.waiting,
)
