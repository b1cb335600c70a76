"""The bottleneck adapter that reduces intra-modal overlap (Kravets & Namboodiri, BMVC 2024)."""

from adapters.backbone_errors import NoInsertionPointError
from adapters.corrections.bottleneck.checkpoint import (
    AdapterError,
    load_adapter,
    save_adapter,
    tower_fingerprint,
    training_record,
)
from adapters.corrections.bottleneck.config import BottleneckConfig
from adapters.corrections.bottleneck.correction import Adapted, AdaptedBeforeProjection
from adapters.corrections.bottleneck.insertion_points import InsertionPoint, insertion_points
from adapters.corrections.bottleneck.model import BottleneckAdapter, attach

__all__ = [
    "Adapted",
    "AdaptedBeforeProjection",
    "AdapterError",
    "BottleneckAdapter",
    "BottleneckConfig",
    "InsertionPoint",
    "NoInsertionPointError",
    "attach",
    "insertion_points",
    "load_adapter",
    "save_adapter",
    "tower_fingerprint",
    "training_record",
]
