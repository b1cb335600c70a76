"""Embeddings in any number with the structure that real ones have.

Measured on 2525 photos of 101 Caltech-101 classes with `lite`'s joint embedding (512 wide): all of
them share a mean of length 0.26; class centres scatter by 0.39 around it, with a spectrum whose
participation ratio ``(Σλ)² / Σλ²`` is 45; images scatter by 0.54 around their centre, with 211.
The median similarity of two images is 0.43 within a class and 0.05 between two classes, that of an
image with its nearest 0.65. Here a power law gives spectra of these ratios in random directions,
a quarter of the scatter within a class comes from ten groups of images that are more alike, and
four classes each are hard to tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet

SHARED_MEAN, BETWEEN, WITHIN = 0.26**2, 0.39, 0.54
RATIO_BETWEEN, RATIO_WITHIN = 45.0, 211.0
GROUPS, GROUPED = 10, 0.25
# Classes of a family, and the share of the scatter of centres that a family has in common: so much
# that leave-one-out names about as many images right as it does of those of Caltech-101 (88 %).
FAMILY, ALIKE = 4, 0.96
# Length of what a class text says besides its class: names alone then name about half the images.
TEXT_NOISE = 2.0


@dataclass(frozen=True, slots=True)
class Keys:
    """Classes and their images; frozen and corrected embeddings are the same tensor."""

    classes: ClassSet
    support: SupportSet
    queries: ImageEmbeddings
    truth: Tensor


def make_keys(n: int, width: int, n_classes: int, queries: int, seed: int = 0) -> Keys:
    """Draw n keys, equally many of each class, and queries of the same classes.

    Takes one more copy of the keys for a moment.
    """
    rng = torch.Generator().manual_seed(seed)
    between = _spectrum(width, RATIO_BETWEEN, BETWEEN)
    apart, within = (
        _spectrum(width, RATIO_WITHIN, share * WITHIN) for share in (GROUPED, 1 - GROUPED)
    )
    turn = torch.linalg.qr(torch.randn(width, width, generator=rng)).Q
    mean = normalize(torch.randn(width, generator=rng), dim=0) * SHARED_MEAN**0.5
    families = torch.randn(-(-n_classes // FAMILY), width, generator=rng)
    own = torch.randn(n_classes, width, generator=rng)
    shared = families[torch.arange(n_classes) // FAMILY]
    spread = ALIKE**0.5 * shared + (1 - ALIKE) ** 0.5 * own
    centres = mean + spread * between @ turn
    turn = torch.linalg.qr(torch.randn(width, width, generator=rng)).Q
    groups = torch.randn(n_classes, GROUPS, width, generator=rng) * apart @ turn
    groups += centres[:, None]

    def images(columns: Tensor) -> Tensor:
        of = torch.randint(GROUPS, columns.shape, generator=rng)
        rows = torch.empty(len(columns), width)
        for at in torch.arange(len(columns)).split(65_536):
            noise = torch.randn(len(at), width, generator=rng) * within @ turn
            rows[at] = normalize(groups[columns[at], of[at]] + noise, dim=1)
        return rows

    columns = torch.arange(n) % n_classes
    columns = columns[torch.randperm(n, generator=rng)]
    truth = torch.randint(n_classes, (queries,), generator=rng)
    texts = normalize(centres - mean, dim=1)
    noise = torch.randn(n_classes, width, generator=rng) / width**0.5
    texts = normalize(texts + TEXT_NOISE * noise, dim=1)
    keys, asked = images(columns), images(truth)
    return Keys(
        ClassSet(torch.arange(n_classes), texts),
        SupportSet(torch.arange(n), columns, ImageEmbeddings(keys, keys)),
        ImageEmbeddings(asked, asked),
        truth,
    )


def _spectrum(width: int, ratio: float, total: float) -> Tensor:
    """(width,) standard deviations by a power law, of this participation ratio and variance."""
    ranks = torch.arange(1, width + 1, dtype=torch.float64)
    low, high = 0.0, 4.0
    for _ in range(50):
        power = (low + high) / 2
        variances = ranks**-power
        if float(variances.sum() ** 2 / (variances**2).sum()) > min(ratio, 0.99 * width):
            low = power
        else:
            high = power
    return (variances * (total / variances.sum())).sqrt().float()
