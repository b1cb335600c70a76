"""Orthonormal directions of images that keep coming."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from adapters.cache.flat_rows import FlatRows

#: Squared length outside of the others' span beyond which an image adds a direction.
RESIDUE = 1e-10


@dataclass(frozen=True, slots=True)
class Directions:
    """Orthonormal directions in which n images of width d lie, with room for more.

    Attributes:
        rows: (r, d); None where r is d and coordinates are the features themselves.
        width: d.
    """

    rows: FlatRows | None
    width: int

    @staticmethod
    def of(rows: Tensor | None, width: int) -> Directions:
        """Of (r, d) orthonormal rows, or of everything."""
        return Directions(None if rows is None else FlatRows.of(rows), width)

    def __len__(self) -> int:
        return self.width if self.rows is None else len(self.rows)

    def extended(self, features: Tensor) -> Directions:
        """With the directions of (m, d) features that it lacks; O(m · r · d)."""
        if self.rows is None or len(features) == 0:
            return self
        held = self.rows
        for x in features:
            # Twice, because once leaves the rounding of a long vector in a short one.
            rest = x - (held.rows @ x) @ held.rows
            rest = rest - (held.rows @ rest) @ held.rows
            length = float(rest @ rest)
            if length > RESIDUE and len(held) < self.width:
                held = held.append((rest / length**0.5)[None])
        return self if held is self.rows else replace(self, rows=held)

    def inside(self, features: Tensor) -> Tensor:
        """(m, r) coordinates of (m, d) features."""
        return features if self.rows is None else features @ self.rows.rows.T

    def outside(self, coordinates: Tensor) -> Tensor:
        """(m, d) features of (m, r) coordinates."""
        return coordinates if self.rows is None else coordinates @ self.rows.rows
