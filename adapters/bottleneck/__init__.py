"""The bottleneck adapter that reduces intra-modal overlap (Kravets & Namboodiri, BMVC 2024)."""

from adapters.bottleneck.config import BottleneckConfig
from adapters.bottleneck.correction import Adapted, AdaptedBeforeProjection
from adapters.bottleneck.model import BottleneckAdapter, attach
from adapters.bottleneck.places import NoPlaceError, Place, places

__all__ = [
    "Adapted",
    "AdaptedBeforeProjection",
    "BottleneckAdapter",
    "BottleneckConfig",
    "NoPlaceError",
    "Place",
    "attach",
    "places",
]
