"""The bottleneck adapter that reduces intra-modal overlap (Kravets & Namboodiri, BMVC 2024)."""

from adapters.corrections.bottleneck.checkpoint import (
    AdapterError,
    load_adapter,
    save_adapter,
    tower_fingerprint,
    training_record,
)
from adapters.corrections.bottleneck.config import BottleneckConfig
from adapters.corrections.bottleneck.correction import Adapted, AdaptedBeforeProjection
from adapters.corrections.bottleneck.model import BottleneckAdapter, attach
from adapters.corrections.bottleneck.places import NoPlaceError, Place, places

__all__ = [
    "Adapted",
    "AdaptedBeforeProjection",
    "AdapterError",
    "BottleneckAdapter",
    "BottleneckConfig",
    "NoPlaceError",
    "Place",
    "attach",
    "load_adapter",
    "places",
    "save_adapter",
    "tower_fingerprint",
    "training_record",
]
