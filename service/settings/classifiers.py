"""Settings of classifiers in memory: room, caches, tuning."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

_MIB = 2**20


class ClassifierMemorySettings(BaseModel):
    """Settings of classifiers in memory: room, caches, tuning."""

    classifier_memory: int = Field(
        512 * _MIB,
        gt=0,
        description="Bytes of classifiers in memory, of all processes together; beyond them the"
        " least recently used are dropped and read from the database when they are asked for.",
    )
    cache_exact_up_to: int = Field(
        20_000,
        gt=0,
        description="Images of a classifier up to which a query is compared with every one.",
    )
    cache_storage: Literal["float32", "float16", "int8"] = Field(
        "float32", description="How the keys of larger caches are kept; less memory, rounded."
    )
    tuning_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of one core that a process tunes classifiers with after their changes.",
    )
