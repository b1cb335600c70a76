"""Keys with what belongs to each."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Entries:
    """The n keys of a cache with what belongs to each.

    Attributes:
        ids: (n,) int64 identifiers.
        keys: (n, width) float32, as they are kept.
        labels: (n,) int64 values.
    """

    ids: Tensor
    keys: Tensor
    labels: Tensor


def check_shapes(width: int, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
    """See that there is one key and one label for each identifier.

    Raises:
        ValueError: Shapes do not agree.
    """
    if keys.shape != (len(ids), width) or labels.shape != ids.shape:
        raise ValueError(
            f"expected {len(ids)} keys of width {width} with as many labels, "
            f"got keys {tuple(keys.shape)} and labels {tuple(labels.shape)}"
        )
