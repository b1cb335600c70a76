"""Super-classes of ImageNet: tasks whose names are good and whose images are poor.

Each class, such as *dog*, takes in many of ImageNet's, with one image of each: a few of them say
less of the others than the name does. At 32 pixels they say still less.
"""

from __future__ import annotations

import random
from itertools import chain

import torch

from adapters.embeddings import ImageEmbeddings, SupportSet
from benchmarks.generic_tasks import Pool, Task

#: Classes of a task.
SIZES = (5, 10, 20)
#: Images of a class that may support, and that ask, at most; half of them each where there are few.
MOST = 16
QUERIES = 20

#: Class indices of ImageNet (ILSVRC 2012), which are the classes in the order of their WordNet ids.
SUPER_CLASSES: dict[str, tuple[int, ...]] = {
    "dog": tuple(range(151, 269)),
    "cat": tuple(range(281, 286)),
    "turtle": tuple(range(33, 38)),
    "bird": tuple(chain(range(7, 25), range(80, 101), range(127, 147))),
    "monkey": tuple(range(369, 383)),
    "fish": tuple(chain(range(7), range(389, 398))),
    "insect": tuple(range(300, 321)),
    "snake": tuple(range(52, 69)),
    "lizard": tuple(range(38, 49)),
    "spider": tuple(range(72, 78)),
    "butterfly": tuple(range(321, 327)),
    "mushroom": tuple(range(991, 998)),
    "truck": (555, 569, 675, 717, 864, 867),
    "boat": (472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914),
    "car": (436, 468, 511, 609, 627, 656, 661, 751, 817),
    "fruit": tuple(range(948, 958)),
    "musical instrument": (
        *(401, 402, 420, 432, 486, 494, 513, 541, 546, 558, 566, 577, 579),
        *(593, 594, 641, 642, 683, 687, 699, 776, 822, 875, 881, 889),
    ),
    "building": (425, 437, 449, 483, 497, 498, 624, 663, 668, 698, 727, 832),
    "furniture": (423, 495, 516, 520, 526, 532, 553, 559, 564, 765, 831, 857),
    "footwear": (502, 514, 630, 770, 774, 788),
}


def super_pool(images: ImageEmbeddings, texts: torch.Tensor) -> Pool:
    """The images of the super-classes.

    Args:
        images: (1000, d) and (1000, d'): one image of each ImageNet class, by class index.
        texts: Text embeddings of the super-classes, in the order of their names.
    """
    rows = torch.tensor([index for indices in SUPER_CLASSES.values() for index in indices])
    counts = torch.tensor([len(indices) for indices in SUPER_CLASSES.values()])
    return Pool(images[rows], torch.arange(len(counts)).repeat_interleave(counts), texts)


def draw(pool: Pool, n_classes: int, shots: int, seed: str) -> Task:
    """Draw classes, queries, and other images as support: up to half of a class.

    The queries of a seed are the same at any number of shots, and more shots contain the fewer.
    """
    chance = random.Random(seed)
    labels = chance.sample(range(len(pool.texts)), n_classes)
    support: list[tuple[int, int]] = []
    queries: list[tuple[int, int]] = []
    for column, label in enumerate(labels):
        rows = pool.rows(label)
        chance.shuffle(rows)
        half = (len(rows) + 1) // 2
        support += [(row, column) for row in rows[: min(half, shots, MOST)]]
        queries += [(row, column) for row in rows[half : half + QUERIES]]
    shown, asked = torch.tensor(support).T.contiguous(), torch.tensor(queries).T.contiguous()
    return Task(
        pool.texts[labels],
        SupportSet(torch.arange(len(support)), shown[1], pool.embeddings[shown[0]]),
        pool.embeddings[asked[0]],
        asked[1],
    )
