"""Detectors of classes in images that may show several: Gaussians of what labels leave unexplained.

Gaussian discriminant analysis (Wang et al., ICLR 2024) for many labels an image. An embedding is
the sum of what its labels contribute, and noise: ``x = Σ_c y_c m_c + e``, with the least-squares
estimate of the (N, d) contributions M (multivariate regression) and one scatter of the noise, S.
The score of class c is ``x S⁻¹ m_c − ½ m_c S⁻¹ m_c``, by which an image is likelier with its
contribution than without. With one label an image M are class means and this is GDA's discriminant.
Classes do not compete: what an image shows beside a class is noise to its detector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from adapters.memory import Storages, storages
from adapters.rest import Rest, no_rest
from adapters.span import features

# Chosen on mosaics of generic images (docs/multi-label.md).
#: What keeps contributions of classes of few images small: ε, in images.
PENALTY = 0.1
#: What is added to the scatter in each direction: squared distances of images from their mean.
RIDGE = 1.0
#: An image of k labels is as much of each as ``1 / k ** SHARE``.
SHARE = 0.5
# Classes whose left-out scores are computed at once: what is in between is of (m, these).
_AT_ONCE = 256
# Where all images are alike.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectors:
    """Scores of N classes, each by itself; a value.

    Attributes:
        skewed: Whether square roots are taken of embeddings (:func:`adapters.span.features`).
        weights: (N, d).
        offsets: (N,).
        left_out: (m, N) scores of the images that it was fitted to, each without itself.
    """

    skewed: bool
    weights: Tensor
    offsets: Tensor
    left_out: Tensor

    @classmethod
    def fit(cls, images: Tensor, targets: Tensor, rest: Rest = no_rest) -> Self:
        """Fit to m images; O(m · r² + r³ + m · N · r + s² · l), r = min(m, d), s ≤ l being m and N.

        What is in memory beside the result is O(m · N + s² + m · r) doubles, never (N, N) where
        classes are more than images.

        Leave-one-out is exact for the ridge as it is: without image i the contributions are
        ``M − (YᵀY + ε)⁻¹ y_i e_iᵀ / (1 − h_i)``, and S loses ``e_i e_iᵀ / (1 − h_i)``, h_i being
        its leverage; so its inverse gains a matrix of rank one (Sherman and Morrison, 1950).

        Args:
            images: (m, d) embeddings, m ≥ 1.
            targets: (m, N) bool.
            rest: Called every few milliseconds.
        """
        skewed = float(images.amin()) >= 0
        rows = features(images, skewed).double()
        basis = _basis(rows)
        rest()
        inside = rows if basis is None else rows @ basis.T
        rest()
        shown = targets.double()
        shown = shown / shown.sum(dim=1, keepdim=True).clamp(min=1) ** SHARE
        explaining = _explaining(shown)
        rest()
        means = explaining @ inside
        noise = inside - shown @ means
        apart = (inside - inside.mean(dim=0)).square().sum(dim=1).mean()
        scatter = noise.T @ noise + PENALTY * means.T @ means
        scatter.diagonal().add_(RIDGE * max(float(apart), _LEAST))
        rest()
        factor = torch.linalg.cholesky(scatter)
        rest()
        precise = torch.cholesky_solve(means.T, factor).T  # (N, r): S⁻¹ m
        solved = torch.cholesky_solve(noise.T, factor).T  # (m, r): S⁻¹ e
        rest()
        own = (means * precise).sum(dim=1)
        leverage = (shown * explaining.T).sum(dim=1)
        left = torch.empty(targets.shape, dtype=images.dtype)
        for start in range(0, len(own), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            left[:, some] = _left_out(
                inside, noise, solved, precise[some], own[some], explaining[some], leverage
            )
            rest()
        weights = precise if basis is None else precise @ basis
        return cls(
            skewed=skewed,
            weights=weights.to(images.dtype),
            offsets=(-own / 2).to(images.dtype),
            left_out=left,
        )

    def scores(self, queries: Tensor) -> Tensor:
        """(q, N) scores of (q, d) embeddings; O(q · N · d)."""
        return torch.addmm(self.offsets, features(queries, self.skewed), self.weights.T)

    def storages(self) -> Storages:
        """What it holds in memory."""
        return storages(self.weights, self.offsets, self.left_out)


def _basis(rows: Tensor) -> Tensor | None:
    """(r, d) orthonormal rows that (m, d) rows lie in; None where those are all directions."""
    if len(rows) >= rows.shape[1]:
        return None
    orthonormal: Tensor = torch.linalg.qr(rows.T)[0]
    return orthonormal.T


def _explaining(shown: Tensor) -> Tensor:
    """(N, m) ``(YᵀY + ε)⁻¹ Yᵀ`` of (m, N) labels Y: what each image tells of each contribution.

    It is ``Yᵀ (YYᵀ + ε)⁻¹``, which is solved where images are fewer than classes.
    """
    fewer = len(shown) < shown.shape[1]
    gram = shown @ shown.T if fewer else shown.T @ shown
    gram.diagonal().add_(PENALTY)
    if fewer:
        dual: Tensor = torch.linalg.solve(gram, shown)
        return dual.T
    explaining: Tensor = torch.linalg.solve(gram, shown.T)
    return explaining


def _left_out(
    rows: Tensor,
    noise: Tensor,
    solved: Tensor,
    precise: Tensor,
    own: Tensor,
    explaining: Tensor,
    leverage: Tensor,
) -> Tensor:
    """(m, N) scores of images for some N classes, each without itself.

    Args:
        rows: (m, r) images x.
        noise: (m, r) e.
        solved: (m, r) S⁻¹ e.
        precise: (N, r) S⁻¹ m.
        own: (N,) m S⁻¹ m.
        explaining: (N, m) (YᵀY + ε)⁻¹ Yᵀ.
        leverage: (m,) h.
    """
    stays = (1 - leverage).unsqueeze(1)
    moved = explaining.T / stays  # what e_i takes from each contribution
    of_noise = (noise * solved).sum(dim=1, keepdim=True)
    left = stays - of_noise
    with_rows = (rows * solved).sum(dim=1, keepdim=True)
    # x S⁻¹ m and e S⁻¹ m of the contributions after and the scatter before.
    scores = rows @ precise.T - moved * with_rows
    across = noise @ precise.T
    after = across - moved * of_noise
    scores = scores + with_rows * after / left
    lengths = own - 2 * moved * across + moved.square() * of_noise + after.square() / left
    return scores - lengths / 2
