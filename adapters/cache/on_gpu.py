"""A cache of many keys that lives on a GPU and is searched there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adapters.cache.brute_force import BruteForce
from adapters.cache.cache import Cache, ClassVotes, VoteEquation, balance
from adapters.cache.entries import Entries, check_shapes
from adapters.cache.matches import Matches
from adapters.memory import Storages, storages

ON_GPU_FROM = 10_000
"""Keys from which on a cache is kept on a GPU.

A processor compares a query with a thousand keys in a tenth of a millisecond; a GPU needs about
as long to be told what to do, to wait for it, and to hand the answer back.
"""

# Keys of a block, whose similarities with a group of queries are in memory at a time.
_BLOCK, _LEAST, _GROUP = 2**18, 2**12, 32
# Votes of a class are summed in so many places first: additions to one place take turns.
_SHARES = 64


class GpuCache(Cache):
    """A key-value cache on a device.

    Every query is compared with every key (:class:`BruteForce`: FAISS, or PyTorch where FAISS has
    no GPU support), by products of vectors that are half-precision or, where that is said, single
    precision. Neither keys nor similarities ever cross the bus: queries go there, a vector each,
    and what comes back are votes by class and the nearest keys.

    Adding m keys costs their way to the device. Removing moves as many of the last keys into the
    gaps.

    Args:
        brute_force: What compares, and where the keys are.
        ids: (n,) int64 identifiers to begin with.
        keys: (n, width) unit vectors, on any device; kept as it says.
        labels: (n,) int64 values.

    Raises:
        ValueError: Shapes do not agree, or an identifier occurs twice.
        torch.OutOfMemoryError: There is no room for them on the device.
    """

    def __init__(self, brute_force: BruteForce, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        self.width = keys.shape[1]
        self._brute_force = brute_force
        self._blocks: list[_Block] = []
        self._ids = torch.empty(0, dtype=torch.int64)
        self._labels = torch.empty(0, dtype=torch.int64)
        # Classes in the order in which they came: where their votes are summed.
        self._places: dict[int, int] = {}
        self.add(ids, keys, labels)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def labels(self) -> Tensor:
        """(n,) int64 values of the keys, on the CPU."""
        return self._labels

    @torch.no_grad()
    def add(self, ids: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Add m keys.

        Raises:
            ValueError: Shapes do not agree, or an identifier is taken.
            torch.OutOfMemoryError: There is no room for them on the device.
        """
        check_shapes(self.width, ids, keys, labels)
        if len(set(ids.tolist())) < len(ids) or bool(torch.isin(ids, self._ids).any()):
            raise ValueError("an identifier is already in the cache")
        for label in dict.fromkeys(labels.tolist()):
            self._places.setdefault(label, len(self._places))
        places = torch.tensor([self._places[label] for label in labels.tolist()], dtype=torch.int64)
        begin, n = 0, len(ids)
        while begin < n:
            if not self._blocks or self._blocks[-1].n == _BLOCK:
                self._blocks.append(_Block(self.width, self._brute_force))
            rows = slice(begin, begin + _BLOCK - self._blocks[-1].n)
            self._blocks[-1].append(keys[rows], places[rows])
            begin += len(ids[rows])
        self._ids, self._labels = torch.cat([self._ids, ids]), torch.cat([self._labels, labels])

    @torch.no_grad()
    def remove(self, ids: Tensor) -> None:
        """Remove keys by identifier.

        Raises:
            KeyError: An identifier is not in the cache; nothing is removed then.
        """
        gone = torch.isin(self._ids, ids)
        if missing := set(ids.tolist()) - set(self._ids[gone].tolist()):
            raise KeyError(f"not in the cache: {sorted(missing)}")
        left = len(self) - int(gone.sum())
        gaps = gone[:left].nonzero().flatten()
        movers = left + (~gone[left:]).nonzero().flatten()
        for gap, mover in zip(gaps.tolist(), movers.tolist(), strict=True):
            block, row = divmod(gap, _BLOCK)
            self._blocks[block].take(row, self._blocks[mover // _BLOCK], mover % _BLOCK)
        self._ids[gaps], self._labels[gaps] = self._ids[movers], self._labels[movers]
        self._ids, self._labels = self._ids[:left].clone(), self._labels[:left].clone()
        del self._blocks[-(-left // _BLOCK) :]
        if self._blocks:
            self._blocks[-1].n = left - _BLOCK * (len(self._blocks) - 1)

    def votes(self, equation: VoteEquation) -> ClassVotes:
        """The sums of all keys' votes by class, taken on the device."""
        return _GpuVotes(self, equation)

    def nearest(self, queries: Tensor, k: int | None = None) -> Matches:
        """The ``k`` nearest keys of each of (n, width) queries; all keys where ``k`` is None."""
        k = len(self) if k is None else min(k, len(self))
        if k == 0:
            return Matches.none(len(queries))
        similarities, rows = [], []
        for group in self._groups(queries):
            best, at = self._nearest(group, k)
            similarities.append(best.cpu())
            rows.append(at.cpu())
        return self._matches(similarities, rows)

    def entries(self) -> Entries:
        """All that is in it; keys are rounded."""
        keys = [block.keys[: block.n].float().cpu() for block in self._blocks]
        return Entries(self._ids, torch.cat([torch.empty(0, self.width), *keys]), self._labels)

    def storages(self) -> Storages:
        """Keys on the device; identifiers and labels beside the processor."""
        held = storages(self._ids, self._labels)
        for block in self._blocks:
            held |= storages(block.keys, block.slots)
        return held

    @torch.no_grad()
    def answer(
        self, queries: Tensor, beta: float, labels: Sequence[int], k: int | None
    ) -> tuple[Tensor, Matches]:
        """What classes and which keys a query resembles, from one pass over the keys.

        Args:
            queries: (n, width) unit vectors, on any device.
            beta: β.
            labels: N of the classes.
            k: Keys to name; all where it is None.

        Returns:
            (n, N) votes ``Σ exp(−β(1 − s))`` of each class's keys, and the ``k`` best matches of
            each query; both on the CPU.
        """
        k = len(self) if k is None else min(k, len(self))
        columns = torch.tensor([self._places[label] for label in labels], dtype=torch.int64)
        votes, similarities, rows = [], [], []
        for group in self._groups(queries):
            summed, best, at = self._group(group, beta, k)
            votes.append(summed.cpu()[:, columns])
            similarities.append(best.cpu())
            rows.append(at.cpu())
        if not votes:
            return torch.empty(0, len(labels)), Matches.none(0)
        return torch.cat(votes), self._matches(similarities, rows)

    def _groups(self, queries: Tensor) -> tuple[Tensor, ...]:
        there = queries.to(self._brute_force.device, self._brute_force.dtype)
        return torch.split(there, _GROUP) if len(there) else ()

    def _matches(self, similarities: list[Tensor], rows: list[Tensor]) -> Matches:
        if not rows:
            return Matches.none(0)
        nearest = torch.cat(rows)
        return Matches(torch.cat(similarities), self._ids[nearest], self._labels[nearest])

    def _nearest(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """(n, k) similarities and rows of the nearest keys."""
        best, at = [], []
        for number, block in enumerate(self._blocks):
            keys = block.keys[: block.n]
            values, rows = self._brute_force.nearest(queries, keys, min(k, block.n))
            best.append(values)
            at.append(rows + number * _BLOCK)
        if len(best) == 1:
            return best[0], at[0]
        nearest = torch.cat(best, dim=1).topk(k, dim=1)
        return nearest.values, torch.cat(at, dim=1).gather(1, nearest.indices)

    def _group(self, queries: Tensor, beta: float, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """(n, places) votes, and the (n, k) similarities and rows of the nearest keys."""
        n, places, device = len(queries), len(self._places), queries.device
        sums = torch.zeros(n, places * _SHARES, device=device)
        best = torch.empty(n, 0, device=device)
        at = torch.empty(n, 0, dtype=torch.int64, device=device)
        for number, block in enumerate(self._blocks):
            similarities = self._brute_force.products(queries, block.keys[: block.n])
            if k:
                top = similarities.topk(min(k, block.n), dim=1)
                best = torch.cat([best, top.values], dim=1)
                at = torch.cat([at, top.indices + number * _BLOCK], dim=1)
            affinity = similarities.sub_(1).mul_(beta).exp_()
            sums.index_add_(1, block.slots[: block.n], affinity)
        nearest = best.topk(k, dim=1)
        votes = sums.view(n, places, _SHARES).sum(dim=2)
        return votes, nearest.values, at.gather(1, nearest.indices)


class _GpuVotes(ClassVotes):
    def __init__(self, cache: GpuCache, equation: VoteEquation) -> None:
        self._cache, self._equation = cache, equation
        self._labels = equation.labels
        columns, n_classes = equation.classes.columns(cache.labels), len(equation.classes)
        self._weights = equation.alpha * balance(columns, n_classes, equation.shots)

    def __call__(
        self, queries: Tensor, zero_shot: Tensor, beside: Tensor | None, k: int | None
    ) -> tuple[Tensor, Matches]:
        equation = self._equation
        sums, matches = self._cache.answer(queries, equation.beta, self._labels, k)
        votes = sums.new_zeros(len(sums), len(self._weights))
        votes[:, equation.present] = sums
        votes *= self._weights
        if beside is not None:
            votes[:, equation.present] += beside
        return votes, matches

    def storages(self) -> Storages:
        return storages(self._weights)


class _Block:
    """Up to so many keys, one beside the other, with room for more."""

    def __init__(self, width: int, of: BruteForce) -> None:
        self.n = 0
        self.keys = torch.empty(0, width, dtype=of.dtype, device=of.device)
        self.slots = torch.empty(0, dtype=torch.int64, device=of.device)

    def append(self, keys: Tensor, places: Tensor) -> None:
        end = self.n + len(keys)
        if end > len(self.keys):
            room = min(max(2 * len(self.keys), end, _LEAST), _BLOCK)
            self.keys, self.slots = (_grown(held, self.n, room) for held in (self.keys, self.slots))
        self.keys[self.n : end].copy_(keys)
        self.slots[self.n : end].copy_(places * _SHARES + torch.arange(self.n, end) % _SHARES)
        self.n = end

    def take(self, row: int, other: _Block, its: int) -> None:
        """Replace a key by one of another block."""
        self.keys[row], self.slots[row] = other.keys[its], other.slots[its]


def _grown(held: Tensor, n: int, room: int) -> Tensor:
    grown = held.new_empty(room, *held.shape[1:])
    grown[:n] = held[:n]
    return grown
