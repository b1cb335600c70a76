"""The settings of a bottleneck adapter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BottleneckConfig:
    """Settings of a bottleneck adapter: its shape and its strength.

    The defaults are those of the paper for ViT-B/16 (Kravets & Namboodiri, BMVC 2024).

    Attributes:
        width: Of the bottleneck.
        scale: s, the factor of what the adapter adds.
        places: Its insertion points: numbers of blocks of the image tower, counted from 0; None
            for all of them.

    Raises:
        ValueError: The width is below 1, the scale not finite, or a place is given twice.
    """

    width: int = 64
    scale: float = 0.03
    places: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"the width of a bottleneck is at least 1, not {self.width}")
        if not abs(self.scale) < float("inf"):
            raise ValueError(f"the scale is a finite number, not {self.scale}")
        if self.places is not None and len(set(self.places)) != len(self.places):
            raise ValueError(f"a block is named twice among the places {self.places}")

    def as_dict(self) -> dict[str, object]:
        """The settings as JSON can hold them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> BottleneckConfig:
        """The settings from what `as_dict` gave.

        Raises:
            ValueError: A setting is unknown, missing or of another type.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if set(fields) != known:
            raise ValueError(f"a bottleneck has {sorted(known)}, not {sorted(fields)}")
        width, scale, places = fields["width"], fields["scale"], fields["places"]
        if not isinstance(width, int) or not isinstance(scale, int | float):
            raise ValueError(f"width {width!r} or scale {scale!r} is no number")
        if places is not None and not isinstance(places, list | tuple):
            raise ValueError(f"places {places!r} are no list")
        return cls(width, float(scale), None if places is None else tuple(int(p) for p in places))
