"""Gaussians that follow images as they come and go, by rank-k updates of their precision.

An image that joins a class of c images adds ``c / (c + 1) · v vᵀ`` to the scatter S of all images
around their class means, v being its distance from the mean; one that leaves takes
``c / (c − 1) · v vᵀ`` away (Welford; Chan, Golub and LeVeque, 1983). The inverse of
``share · S + λI`` follows by Woodbury's identity, O(k · r²) for k such images, where fitting anew
costs O(n · r² + r³). λ and the share are those of the last fit: estimates of a variance, which a
few images more do not change by much, and which the next full tuning sets anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from adapters.directions import RESIDUE, Directions
from adapters.memory import Storages, storages

# Relative error of the inverse on a probe vector beyond which it has to be fitted anew.
_ERROR = 1e-3


class DriftedError(ArithmeticError):
    """Rounding has grown too large: fit anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Images that leave classes, and images that join classes then.

    Attributes:
        removed: (m, d) features of images that were there.
        removed_labels: (m,) int64 class identifiers.
        added: (m', d) features.
        added_labels: (m',) int64 class identifiers.
    """

    removed: Tensor
    removed_labels: Tensor
    added: Tensor
    added_labels: Tensor

    def of_one_class(self) -> Moves:
        """The same images, all of them of a class 0."""
        return replace(
            self,
            removed_labels=torch.zeros_like(self.removed_labels),
            added_labels=torch.zeros_like(self.added_labels),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGaussians:
    """N class means and one inverse covariance; a value, which a change leaves as it is.

    Attributes:
        labels: (N,) int64 class identifiers, in the order of the rows.
        shots: (N,) images of each.
        means: (N, d) of the features, μ.
        weights: (N, d) ``μ A``, in features.
        squares: (N,) ``μ A μᵀ``.
        basis: Directions in which A is.
        inverse: (r, r) ``A = (share · S + λI)⁻¹``.
        ridge: λ.
        share: What S counts.
        probed: (r,) ``(share · S + λI) z`` of the vector :func:`probe`, kept up to date without A:
            by it rounding is watched.
    """

    labels: Tensor
    shots: Tensor
    means: Tensor
    weights: Tensor
    squares: Tensor
    basis: Directions
    inverse: Tensor
    ridge: float
    share: float
    probed: Tensor

    @classmethod
    def of(
        cls,
        labels: Tensor,
        shots: Tensor,
        means: Tensor,
        basis: Directions,
        inverse: Tensor,
        *,
        ridge: float,
        share: float,
        scattered: Tensor,
    ) -> RunningGaussians:
        """What a fit has found.

        Args:
            labels: (N,) int64 class identifiers.
            shots: (N,) images of each.
            means: (N, r) coordinates of the class means.
            basis: Of the coordinates.
            inverse: (r, r) A.
            ridge: λ.
            share: What S counts.
            scattered: (r,) ``share · S`` times the vector of :func:`probe`.
        """
        inside = means @ inverse
        z = probe(len(basis), means)
        return cls(
            labels=labels,
            shots=shots.to(means.dtype),
            means=basis.outside(means),
            weights=basis.outside(inside),
            squares=(inside * means).sum(dim=1),
            basis=basis,
            inverse=inverse,
            ridge=ridge,
            share=share,
            probed=scattered + ridge * z,
        )

    def storages(self) -> Storages:
        """What they hold in memory."""
        held = [self.labels, self.shots, self.means, self.weights, self.squares, self.inverse]
        of_basis = {} if self.basis.rows is None else self.basis.rows.storages()
        return {**of_basis, **storages(*held, self.probed)}

    def linear(self) -> tuple[Tensor, Tensor]:
        """Weights (N, d) and bias (N,) such that ``x Wᵀ + b = x P μᵀ − ½ μ P μᵀ + log 1/N``.

        ``P = d · A``; x are features. Uniform prior: a class does not win by its numbers.
        """
        width = self.basis.width
        bias = -width * self.squares / 2 - math.log(len(self.labels))
        return width * self.weights, bias

    def moved(
        self, moves: Moves, labels: Tensor | None = None, basis: Directions | None = None
    ) -> RunningGaussians:
        """The same after images have left and others have joined.

        O(k · (r · d + N · d) + k · r²) for k images, and one copy of A.

        Args:
            moves: The images.
            labels: (N',) the classes that have images then, in the order of the rows to come;
                None: those that have any, new ones last.
            basis: ``self.basis`` extended by what is added, from who has it.

        Raises:
            DriftedError: Rounding has grown too large, or nothing is left.
        """
        basis = self.basis.extended(moves.added) if basis is None else basis
        means, shots, columns, scales = self._shifts(moves)
        if len(scales) == 0 and basis is self.basis:
            return self._ordered(labels, means, shots)
        r = len(self.basis)
        v = basis.inside(columns)
        scales = scales * self.share
        # In directions that are new nothing has scattered so far: A is 1 / λ there.
        u = torch.cat([v[:, :r] @ self.inverse, v[:, r:] / self.ridge], dim=1)
        gain = _gain(u, v, scales)
        inverse = self._less(u, gain)
        z = probe(len(basis), v)
        probed = torch.cat([self.probed, self.ridge * z[r:]]) + (scales * (v @ z)) @ v
        error = torch.linalg.vector_norm(inverse @ probed - z)
        if not float(error) <= _ERROR * float(torch.linalg.vector_norm(z)):
            raise DriftedError("the inverse has drifted")
        # μ A' of the means that stay; those that move are computed anew below.
        gained = basis.outside(gain)
        seen = self.means @ basis.outside(u).T  # (N, k): μ A Vᵀ
        followed = replace(
            self,
            weights=torch.addmm(self.weights, seen, gained, alpha=-1),
            squares=self.squares - (seen * (self.means @ gained.T)).sum(dim=1),
            basis=basis,
            inverse=inverse,
            probed=probed,
        )
        return followed._ordered(labels, means, shots)

    def _less(self, u: Tensor, gain: Tensor) -> Tensor:
        """``A − Uᵀ G`` of (k, r') matrices, A being 1 / λ in the directions that are new."""
        r, grown = len(self.inverse), u.shape[1]
        if grown == r:
            return torch.addmm(self.inverse, u.T, gain, alpha=-1)
        inverse = self.inverse.new_empty(grown, grown)
        torch.addmm(self.inverse, u[:, :r].T, gain[:, :r], alpha=-1, out=inverse[:r, :r])
        inverse[r:] = -(u[:, r:].T @ gain)
        inverse[:r, r:] = -(u[:, :r].T @ gain[:, r:])
        inverse.diagonal()[r:] += 1 / self.ridge
        return inverse

    def _shifts(self, moves: Moves) -> tuple[dict[int, Tensor], dict[int, float], Tensor, Tensor]:
        """Means and shots of the classes that change; the k rows v and scales of S's change."""
        row = {label: i for i, label in enumerate(self.labels.tolist())}
        means: dict[int, Tensor] = {}
        shots: dict[int, float] = {}
        rows: list[Tensor] = []
        scales: list[float] = []

        def move(images: Tensor, of: Tensor, sign: int) -> None:
            for label in dict.fromkeys(of.tolist()):
                x = images[of == label]
                m = len(x)
                if label not in means:
                    at = row.get(label)
                    means[label] = x.new_zeros(x.shape[1]) if at is None else self.means[at]
                    shots[label] = 0.0 if at is None else float(self.shots[at])
                c = shots[label]
                left = c + sign * m
                if left < 0:
                    raise DriftedError("more images leave a class than it had")
                centre = x.mean(dim=0)
                if c == 0:  # a class that begins: around its own mean
                    means[label] = centre
                    shift = None
                else:
                    shift = centre - means[label]
                    if left > 0:
                        means[label] = means[label] + (sign * m / left) * shift
                shots[label] = left
                if shift is None:
                    if m > 1:
                        rows.extend(x - centre)
                        scales.extend([1.0] * m)
                    continue
                if m == 1:
                    rows.append(shift)
                    scales.append(sign * c / left if left else -1.0)
                    continue
                before = centre - shift
                rows.extend(x - before)
                scales.extend([float(sign)] * m)
                if left > 0:
                    rows.append(shift)
                    scales.append(-m * m / left)

        move(moves.removed, moves.removed_labels, -1)
        move(moves.added, moves.added_labels, 1)
        moved = [(v, s) for v, s in zip(rows, scales, strict=True) if float(v @ v) > RESIDUE]
        if not moved:
            return means, shots, self.means.new_empty(0, self.basis.width), self.means.new_empty(0)
        return (
            means,
            shots,
            torch.stack([v for v, _ in moved]),
            self.means.new_tensor([s for _, s in moved]),
        )

    def _ordered(
        self, labels: Tensor | None, means: dict[int, Tensor], shots: dict[int, float]
    ) -> RunningGaussians:
        """With the rows of these classes, in this order, and the means that have moved."""
        row = {label: i for i, label in enumerate(self.labels.tolist())}
        if labels is None:
            labels = torch.tensor([i for i in {**row, **shots} if shots.get(i, 1.0) > 0])
        if len(labels) == 0:
            raise DriftedError("no class has images")
        wanted = labels.tolist()
        taken = torch.tensor([row.get(label, 0) for label in wanted])
        same = wanted == list(row)
        held = [self.shots, self.means, self.weights, self.squares]
        of_shots, of_means, of_weights, of_squares = (t.clone() if same else t[taken] for t in held)
        for at, label in enumerate(wanted):
            if label in means:
                of_means[at], of_shots[at] = means[label], shots[label]
        changed = [at for at, label in enumerate(wanted) if label in means]
        if changed:
            inside = self.basis.inside(of_means[changed])
            weights = inside @ self.inverse
            of_weights[changed] = self.basis.outside(weights)
            of_squares[changed] = (inside * weights).sum(dim=1)
        return replace(
            self,
            labels=labels,
            shots=of_shots,
            means=of_means,
            weights=of_weights,
            squares=of_squares,
        )


def _gain(u: Tensor, v: Tensor, scales: Tensor) -> Tensor:
    """(k, r) G of Woodbury's ``(A⁻¹ + Vᵀ D V)⁻¹ = A − Uᵀ G``, U being ``V A``.

    ``G = (D⁻¹ + V Uᵀ)⁻¹ U``; D, the scales, may be negative.

    Raises:
        DriftedError: There is no such inverse.
    """
    if len(scales) == 0:
        return u
    inner = (v @ u.T).double()
    inner.diagonal().add_(1 / scales.double())
    gain: Tensor
    gain, failed = torch.linalg.solve_ex(inner, u.double())
    if int(failed):
        raise DriftedError("the update is singular")
    return gain.to(u.dtype)


def probe(r: int, like: Tensor) -> Tensor:
    """(r,) a fixed vector of ones of either sign; longer ones begin with the shorter."""
    numbers = torch.arange(r) * 2654435769  # Knuth's multiplicative hash
    return (1 - 2 * (numbers.bitwise_right_shift(16) & 1)).to(like.dtype)
