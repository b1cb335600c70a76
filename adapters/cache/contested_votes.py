"""The votes of keys that are kept by class, as far as they matter."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from adapters.cache.cache import ClassVotes, VoteEquation
from adapters.cache.contest import ByClass, Contest
from adapters.cache.growing_rows import Rows
from adapters.cache.inverted_file import Candidates
from adapters.cache.matches import Matches
from adapters.memory import Storages


class Searched(ByClass, Protocol):
    """Keys by class that can be searched, too (:class:`adapters.cache.PartitionedCache`)."""

    def best(self, queries: Rows, found: Candidates, k: int) -> Matches:
        """The ``k`` best of the keys that were found, by their exact similarities."""

    def all(self, queries: Rows, k: int | None = None) -> Matches:
        """The ``k`` best of all keys, or all of them sorted, by their exact similarities."""


class ContestedVotes(ClassVotes):
    """Votes that are exact where they matter (:class:`Contest`), and the nearest keys."""

    def __init__(self, cache: Searched, equation: VoteEquation) -> None:
        self._cache, self._equation = cache, equation
        self._contest = Contest.of(cache, equation)

    def __call__(
        self, queries: Tensor, zero_shot: Tensor, beside: Tensor | None, k: int | None
    ) -> tuple[Tensor, Matches]:
        """Votes on n queries, and the nearest keys: see :class:`ClassVotes`."""
        cache, present = self._cache, self._equation.present
        rows = as_rows(queries)
        found = cache.find(rows, k or 0)
        besides = None if beside is None else beside.double().numpy()
        exact, _ = self._contest.votes(rows, zero_shot.double().numpy(), besides, found)
        votes = torch.from_numpy(exact).to(zero_shot.dtype)
        if beside is not None:
            votes += beside
        if votes.shape[1] < zero_shot.shape[1]:
            of_present, votes = votes, torch.zeros_like(zero_shot)
            votes[:, present] = of_present
        return votes, cache.all(rows) if k is None else cache.best(rows, found, k)

    def storages(self) -> Storages:
        """What they hold in memory beside the cache."""
        return self._contest.storages()


def as_rows(rows: Tensor) -> Rows:
    """(n, width) float32 rows as an array; a copy if they are not that already."""
    return np.ascontiguousarray(rows.detach().cpu().numpy(), dtype=np.float32)
