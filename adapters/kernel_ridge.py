"""Kernel ridge regression: images of a class, told from those of all others by least squares.

After ProKeR (Bendou et al., CVPR 2025): ``f(q) = K_q A⁻¹ (Y − 1/N)`` with ``A = K + λD`` and
``D_ii = n_c / n̄``, n_c being the images of the class of image i and n̄ the mean over classes, so
that a class of many images is not believed more than one of few. The kernel is the inner product
of embeddings that were centred on the mean of the classes and brought to unit length: the limit
of theirs, ``exp(−β(1 − cos))``, at small β, measured as good (docs/heads.md), and K_q A⁻¹ is then
N rows of weights. Leave-one-out is in closed form, with the class of the left-out image restored.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from adapters.cholesky import Cholesky
from adapters.memory import Storages, storages
from adapters.rest import Rest, no_rest
from adapters.systematic_sampling import evenly

# λ. From 0.3 to 3 as good on generic tasks of 1 to 16 shots (benchmarks/stacking.py).
RIDGE = 1.0
# Images that K is made of; of more, each class gives as many as another. A is inverted: O(n³).
# Where that would leave a single one of each, classes are their means: λ → ∞ in the equation.
MOST_IMAGES = 1024
# What images that are all alike are divided by.
_LEAST_LENGTH = 1e-6
# Rows in one product.
_BLOCK = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRidge:
    """Scores of N classes by kernel ridge regression; a value, which a change leaves as it is.

    An image that is alone in its class, and like no other, is given the score 1 for it.

    Attributes:
        labels: (N,) int64 class identifiers, in the order of the columns.
        centre: (d,) the mean of the classes' means.
        spread: Mean squared distance of an image from the centre, in (0, 1] for unit vectors.
        keys: (n, d) centred unit embeddings of the images in K.
        ids: (n,) int64 places of these images: whatever who fits knows them by.
        columns: (n,) int64 column of each one's class.
        ridge: (n,) ``λ D``.
        unit: What scores are multiplied with so that the above holds.
        inverse: (n, n) A⁻¹, float64; None where classes are their means, of all images.
        weights: (N, d) of centred unit queries.
    """

    labels: Tensor
    centre: Tensor
    spread: float
    keys: Tensor
    ids: Tensor
    columns: Tensor
    ridge: Tensor
    unit: float
    inverse: Tensor | None
    weights: Tensor

    @classmethod
    def fit(
        cls,
        images: Tensor,
        columns: Tensor,
        labels: Tensor,
        ids: Tensor,
        rest: Rest = no_rest,
    ) -> Self:
        """Fit to support images; O(n · d + m² · (m + d)) for the m of them that K is made of.

        Args:
            images: (n, d) embeddings, n ≥ 1.
            columns: (n,) int64 column of each image's class; all N classes have images.
            labels: (N,) int64 identifiers of the classes.
            ids: (n,) int64 by which :meth:`moved` is told of images that go.
            rest: Called every few milliseconds.
        """
        n_classes = len(labels)
        shots = torch.bincount(columns, minlength=n_classes)
        means = _sums(images, columns, n_classes) / shots.unsqueeze(1)
        centre = means.mean(dim=0)
        rest()
        if len(images) > MOST_IMAGES and 2 * n_classes > MOST_IMAGES:
            return cls._of_means(images, columns, labels, centre)
        chosen = chosen_images(columns, n_classes)
        some, of_class = images[chosen], columns[chosen]
        keys, lengths = _centred(some, centre)
        rest()
        mean = len(some) / n_classes
        unit = 1 + RIDGE / mean
        ridge = (RIDGE / mean) * torch.bincount(of_class, minlength=n_classes)[of_class].double()
        kernel = _products(keys, rest)
        kernel.flat[:: len(kernel) + 1] += ridge.numpy()
        factor = Cholesky(kernel)
        rest()
        inverse = factor.inverse()
        rest()
        coefficients = inverse @ _targets(of_class, n_classes)
        rest()
        weights = torch.from_numpy(coefficients.T).to(keys.dtype) @ keys
        return cls(
            labels=labels,
            centre=centre,
            spread=float(lengths.square().mean()),
            keys=keys,
            ids=ids[chosen],
            columns=of_class,
            ridge=ridge,
            unit=unit,
            inverse=torch.from_numpy(inverse),
            weights=weights * unit,
        )

    @classmethod
    def _of_means(cls, images: Tensor, columns: Tensor, labels: Tensor, centre: Tensor) -> Self:
        """Of classes that are their means; holds no images."""
        keys, lengths = _centred(images, centre)
        return cls(
            labels=labels,
            centre=centre,
            spread=float(lengths.square().mean()),
            keys=images.new_empty(0, images.shape[1]),
            ids=columns.new_empty(0),
            columns=columns,
            ridge=torch.empty(0, dtype=torch.float64),
            unit=1.0,
            inverse=None,
            weights=normalize(_sums(keys, columns, len(labels)), dim=1),
        )

    def known_as(self, labels: Tensor, ids: Tensor) -> Self:
        """The same with other identifiers.

        Args:
            labels: (N,) int64 of the classes.
            ids: (n,) int64 of the images that it was fitted to, by the places that it knew them by.
        """
        return replace(self, labels=labels, ids=ids[self.ids])

    def scores(self, queries: Tensor) -> Tensor:
        """(m, N) scores of (m, d) embeddings, O(m · N · d)."""
        return _centred(queries, self.centre)[0] @ self.weights.T

    def left_out(self, images: Tensor, rows: Tensor, rest: Rest = no_rest) -> Tensor:
        """(m, N) scores of images that it was fitted to, each without itself.

        ``y_i − (A⁻¹Y)_i / (A⁻¹)_ii`` with A in which the class of image i has the entries of D
        that its n_c − 1 other images would have, so that it looks no weaker than it is: a change
        of n_c entries, by Woodbury's identity. Images that are not in K are scored as they are.

        Args:
            images: (n, d) embeddings, as it was fitted to; :attr:`ids` are places among them.
            rows: (m,) the images that are asked for.
            rest: Called every few milliseconds.

        Cost: O(k² · N) for the k images in K, and O(k · n_c²) for each class.
        """
        if self.inverse is None:
            return self._means_left_out(images, rows)
        place = torch.full((len(images),), -1)
        place[self.ids] = torch.arange(len(self.ids))
        inside = place[rows] >= 0
        scores = self.keys.new_empty(len(rows), len(self.labels))
        held = place[rows[inside]]
        scores[inside] = self._left_out(self.inverse.numpy(), rest)[held]
        for some in torch.split((~inside).nonzero().flatten(), _BLOCK):
            scores[some] = self.scores(images[rows[some]])
            rest()
        return scores

    def _left_out(self, inverse: NDArray[Any], rest: Rest) -> Tensor:
        """(n, N) of all images in K."""
        targets = _targets(self.columns, len(self.labels))
        columns, ridge = self.columns.numpy(), self.ridge.numpy()
        solved = inverse @ targets
        rest()
        left = np.empty_like(targets)
        order = columns.argsort(kind="stable")
        ends = np.flatnonzero(np.diff(columns[order])) + 1
        for own in np.split(order, ends):
            block = inverse[np.ix_(own, own)]
            weaker = ridge[own] / len(own) if len(own) > 1 else 0.0
            restored = np.linalg.inv(np.eye(len(own)) - block * weaker)
            diagonal = np.einsum("ij,ji->i", restored, block)
            left[own] = targets[own] - (restored @ solved[own]) / diagonal[:, None]
            rest()
        return torch.from_numpy(self.unit * left).to(self.keys.dtype)

    def moved(
        self, removed: Tensor, added: Tensor, added_labels: Tensor, added_ids: Tensor
    ) -> Self | None:
        """The same after images have left and joined: A⁻¹ by its borders, O(k · n · (n + d)).

        The centre stays, and so does what an image of each class counts in D.

        Args:
            removed: (k,) identifiers of images; those that are not in K are passed over.
            added: (k', d) embeddings of images of the N classes; taken while K has room.
            added_labels: (k',) int64 class identifiers.
            added_ids: (k',) int64 identifiers.

        Returns:
            None where it is to be fitted anew: a class has lost all its images in K, or classes
            are their means.
        """
        if self.inverse is None:
            return None
        held, inverse = self._without(~torch.isin(self.ids, removed), self.inverse)
        if len(set(held.columns.tolist())) < len(self.labels):
            return None
        room = max(2 * MOST_IMAGES - len(held.keys), 0)
        if len(added[:room]):
            place = {label: i for i, label in enumerate(self.labels.tolist())}
            columns = torch.tensor([place[i] for i in added_labels[:room].tolist()])
            held = held._with(added[:room], columns, added_ids[:room], inverse)
        return held

    def _without(self, stay: Tensor, inverse: Tensor) -> tuple[Self, Tensor]:
        """Without some images: their coefficients fall to those that stay."""
        if bool(stay.all()):
            return self, inverse
        gone = ~stay
        held = replace(
            self,
            keys=self.keys[stay],
            ids=self.ids[stay],
            columns=self.columns[stay],
            ridge=self.ridge[stay],
        )
        of_gone = inverse[gone]
        border, corner = of_gone[:, stay], of_gone[:, gone]
        fallen = torch.linalg.solve(corner, border)
        left = torch.addmm(inverse[stay][:, stay], border.T, fallen, alpha=-1)
        targets = _targets(self.columns, len(self.labels))
        coefficients = of_gone @ torch.from_numpy(targets)
        rows = self.keys[gone] + fallen.to(self.keys.dtype) @ held.keys
        return replace(held, inverse=left, weights=self._less(coefficients, rows)), left

    def _with(self, images: Tensor, columns: Tensor, ids: Tensor, before: Tensor) -> Self:
        """With more images, whose coefficients make up for what is not foretold of them."""
        keys, _ = _centred(images, self.centre)
        of_class = torch.zeros(len(self.labels), dtype=torch.float64)
        of_class[self.columns] = self.ridge
        ridge = of_class[columns]
        after = replace(
            self,
            keys=torch.cat([self.keys, keys]),
            ids=torch.cat([self.ids, ids]),
            columns=torch.cat([self.columns, columns]),
            ridge=torch.cat([self.ridge, ridge]),
        )
        n, k = len(self.keys), len(keys)
        across = (self.keys @ keys.T).double()
        solved = before @ across
        own = (keys @ keys.T).double() + torch.diag(ridge)
        corner = torch.linalg.inv(own - across.T @ solved)
        side = solved @ corner
        inverse = before.new_empty(n + k, n + k)
        torch.addmm(before, side, solved.T, out=inverse[:n, :n])
        inverse[:n, n:], inverse[n:, :n], inverse[n:, n:] = -side, -side.T, corner
        foretold = (keys @ self.weights.T).double() / self.unit
        missed = torch.from_numpy(_targets(columns, len(self.labels))) - foretold
        rows = keys - solved.T.to(keys.dtype) @ self.keys
        return replace(after, inverse=inverse, weights=self._less(-(corner @ missed), rows))

    def _less(self, coefficients: Tensor, rows: Tensor) -> Tensor:
        """(N, d) the weights without those that (k, N) coefficients give to (k, d) rows."""
        return self.weights - self.unit * coefficients.T.to(rows.dtype) @ rows

    def _means_left_out(self, images: Tensor, rows: Tensor) -> Tensor:
        keys = _centred(images, self.centre)[0]
        sums = _sums(keys, self.columns, len(self.labels))
        keys, columns = keys[rows], self.columns[rows]
        cosines = keys @ self.weights.T
        own = normalize(sums[columns] - keys, dim=1)
        cosines[torch.arange(len(keys)), columns] = (keys * own).sum(dim=1)
        return cosines

    def storages(self) -> Storages:
        """What it holds in memory."""
        of_images = storages(self.keys, self.ids, self.columns, self.ridge, self.inverse)
        return {**of_images, **storages(self.labels, self.centre, self.weights)}


def chosen_images(columns: Tensor, n_classes: int, most: int | None = None) -> Tensor:
    """The images that K is made of: all, or as many of each class as of another, spread evenly.

    Args:
        columns: (n,) int64 column of each image's class.
        n_classes: N; each keeps one image at least.
        most: Images, if N is no larger; :data:`MOST_IMAGES` if None.
    """
    most = MOST_IMAGES if most is None else most
    if len(columns) <= most:
        return torch.arange(len(columns))
    shots = torch.bincount(columns, minlength=n_classes)
    fits = range(1, most + 1)
    quota = max(bisect_right(fits, most, key=lambda q: int(shots.clamp(max=q).sum())), 1)
    order = columns.argsort(stable=True)
    of_class = torch.split(order, shots.tolist())
    return torch.cat([rows[evenly(len(rows), quota)] for rows in of_class]).sort().values


def _centred(images: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """(n, d) images from a centre, as unit vectors, and (n,) how far they were."""
    moved = images - centre
    lengths = moved.norm(dim=1)
    return moved / lengths.clamp(min=_LEAST_LENGTH).unsqueeze(1), lengths


def _products(keys: Tensor, rest: Rest) -> NDArray[Any]:
    """(n, n) inner products, as float64."""
    blocks = []
    for some in torch.split(keys, _BLOCK):
        blocks.append((some @ keys.T).double().numpy())
        rest()
    return np.concatenate(blocks)


def _sums(rows: Tensor, columns: Tensor, n_classes: int) -> Tensor:
    """(N, d) sums by class."""
    return rows.new_zeros(n_classes, rows.shape[1]).index_add_(0, columns, rows)


def _targets(columns: Tensor, n_classes: int) -> NDArray[Any]:
    """(n, N) one-hot classes of (n,) images, less what a class has on the mean; float64."""
    targets = np.full((len(columns), n_classes), -1 / n_classes)
    targets[np.arange(len(targets)), columns.numpy()] += 1
    return targets
