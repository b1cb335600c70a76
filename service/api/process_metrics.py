"""Metrics of a process: what it is, since when it serves, what it refuses."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version

from prometheus_client import Counter, Gauge

from service.composition import ServiceParts
from service.problems import (
    InternalError,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
    StorageFull,
    StorageUnavailable,
)

READY = Gauge("handful_ready_processes", "Processes that can answer.", multiprocess_mode="livesum")
BUILD = Gauge(
    "handful_build_info",
    "1; what serves stands in the labels.",
    ["version", "python_version", "engine", "precision", "device"],
    multiprocess_mode="livemax",
)
STARTED = Gauge(
    "handful_start_time_seconds",
    "Since when it has been ready, in Unix time; of several processes the one that was first.",
    multiprocess_mode="livemin",
)
PROBLEMS = Counter("handful_problems_total", "Problem documents that were answered.", ["type"])


for _problem in (
    Overloaded,
    RateLimited,
    StorageFull,
    StorageUnavailable,
    OutcomeUnknown,
    InternalError,
):
    PROBLEMS.labels(_problem.type_)  # told from the start


def tell_ready(parts: ServiceParts) -> None:
    """Count this process as one that can answer."""
    backbone = parts.backbone
    BUILD.labels(
        version("handful"),
        platform.python_version(),
        backbone.engine,
        backbone.recipe.precision,
        backbone.device.type,
    ).set(1)
    STARTED.set(time.time())
    READY.set(1)
