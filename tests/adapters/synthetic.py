"""Small synthetic tasks: unit vectors around a centre for each class, in two embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Head, Tuning

WIDTH, CORRECTED_WIDTH = 16, 24
# Of the embedding of `photos`: wide enough that different ones are never close by chance.
PHOTO_WIDTH = 256


def tuned(head: str, temperature: float = 1.0, **parameters: float) -> Tuning:
    """A tuning of a head by its name, with these hyperparameters."""
    return Tuning(HEADS[head].parameters.of(parameters), temperature)


# A fixed tuning for each head, and for ``auto`` with one image a class.
TUNINGS: dict[str, tuple[str, Tuning]] = {
    "zero-shot": ("zero-shot", tuned("zero-shot", 2.0)),
    "tip-adapter": ("tip-adapter", tuned("tip-adapter", 2.0, alpha=3.0, beta=5.0, absent=0.7)),
    "tip-adapter++": ("tip-adapter++", tuned("tip-adapter++", 2.0, alpha=3.0, beta=5.0)),
    "tip-x": ("tip-x", tuned("tip-x", 2.0, alpha=3.0, beta=5.0, gamma=2.0, absent=0.7)),
    "tip-x++": ("tip-x++", tuned("tip-x++", 2.0, alpha=3.0, beta=5.0, gamma=2.0)),
    "ape": ("ape", tuned("ape", 2.0, alpha=3.0, beta=5.0, gamma=0.5, share=0.75)),
    "ape++": ("ape++", tuned("ape++", 2.0, alpha=3.0, beta=5.0, gamma=-0.5, share=0.5)),
    "gda": ("gda", tuned("gda", 2.0, alpha=0.5, spread=3.0, absent=0.7)),
    "gda++": ("gda++", tuned("gda++", 2.0, alpha=0.5)),
    "krr": ("krr", tuned("krr", 2.0, alpha=3.0, absent=0.7)),
    "krr++": ("krr++", tuned("krr++", 2.0, alpha=3.0)),
    "auto": ("auto", tuned("auto", 2.0, names=0.5, krr=3.0, gda=0.5, spread=3.0, absent=0.7)),
    "auto, one shot": ("auto", tuned("auto", 2.0, names=1.0, krr=3.0)),
}


def fixed_head(name: str, classes: ClassSet, support: SupportSet) -> Head:
    """A head fitted with its entry of TUNINGS."""
    method, tuning = TUNINGS[name]
    return HEADS[method](100.0).fit(classes, support, tuning)


@dataclass(frozen=True)
class Task:
    """A support set, and queries with the columns of their true classes."""

    classes: ClassSet
    support: SupportSet
    queries: ImageEmbeddings
    truth: Tensor

    def draw(self, shots: Sequence[int], seed: int, first_id: int = 0) -> SupportSet:
        """Images that are unrelated to the centres: so many of each class."""
        columns = columns_of(shots)
        ids = first_id + torch.randperm(len(columns), generator=generator(seed))
        dtype = self.support.embeddings.frozen.dtype
        return SupportSet(ids, self.classes.ids[columns], noise(len(columns), seed, dtype))


def generator(seed: int) -> torch.Generator:
    """A seeded generator."""
    return torch.Generator().manual_seed(seed)


def columns_of(shots: Sequence[int]) -> Tensor:
    """The column of each image, class by class."""
    return torch.repeat_interleave(torch.arange(len(shots)), torch.tensor(shots, dtype=torch.int64))


def noise(n: int, seed: int, dtype: torch.dtype = torch.float32) -> ImageEmbeddings:
    """n images without any class."""
    rng = generator(seed)
    return ImageEmbeddings(
        normalize(torch.randn(n, WIDTH, generator=rng, dtype=torch.float64), dim=1).to(dtype),
        normalize(torch.randn(n, CORRECTED_WIDTH, generator=rng, dtype=torch.float64), dim=1).to(
            dtype
        ),
    )


def make_task(
    shots: Sequence[int],
    seed: int = 0,
    *,
    queries: int = 3,
    spread: float = 1.0,
    names: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Task:
    """Draw a task: images are a class's centre plus ``spread`` times as much noise.

    Args:
        shots: Images of each class.
        seed: Of everything.
        queries: Of each class.
        spread: Length of the noise; the centres have length one, and so has the noise of names.
        names: Whether class names carry meaning.
        dtype: Of all embeddings; the float32 ones are those of float64, rounded.
    """
    rng = generator(seed)
    n_classes = len(shots)

    def normal(rows: int, width: int) -> Tensor:
        return torch.randn(rows, width, generator=rng, dtype=torch.float64) / width**0.5

    centres = normal(n_classes, WIDTH), normal(n_classes, CORRECTED_WIDTH)
    texts = normalize(centres[0] + normal(n_classes, WIDTH), dim=1).to(dtype)
    # Shuffled, so that neither rows nor identifiers come class by class.
    columns = columns_of(shots)
    columns = columns[torch.randperm(len(columns), generator=rng)]
    truth = columns_of([queries] * n_classes)

    def images(of: Tensor) -> ImageEmbeddings:
        both = [
            normalize(centre[of] + spread * normal(len(of), centre.shape[1]), dim=1).to(dtype)
            for centre in centres
        ]
        return ImageEmbeddings(*both)

    ids = 10 * torch.randperm(n_classes, generator=rng) + 5
    return Task(
        ClassSet(ids, texts if names else None),
        SupportSet(torch.randperm(len(columns), generator=rng) * 3, ids[columns], images(columns)),
        images(truth),
        truth,
    )


def photos(shots: list[int], copies: list[int], seed: int = 0, jitter: float = 0.2) -> SupportSet:
    """Photos of each class; copy j of every photo of the class follows after all of its photos.

    Identifiers: a photo's is 100 times its number, and that of its copies 1, 2, … more.
    """
    rng = generator(seed)
    keys, labels, ids = [], [], []
    number = 0
    for c, (n, m) in enumerate(zip(shots, copies, strict=True)):
        taken = torch.randn(n, PHOTO_WIDTH, generator=rng)
        for j in range(m):
            moved = taken + (jitter if j else 0) * torch.randn(n, PHOTO_WIDTH, generator=rng)
            keys.append(moved)
            labels += [c] * n
            ids += [100 * (number + i) + j for i in range(n)]
        number += n
    corrected = normalize(torch.cat(keys), dim=1)
    return SupportSet(
        torch.tensor(ids), torch.tensor(labels), ImageEmbeddings(corrected.flip(1), corrected)
    )
