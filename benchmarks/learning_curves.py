"""Is what a support set says of more images true? The search behind the advice.

    .venv/bin/python -m benchmarks.learning_curves FOLDER [--draws 3] [--styles all] [--json FILE]

FOLDER holds CLASS/IMAGE files with at least 32 images a class, such as Caltech-101, and gives the
tasks of ``generic_tasks``: as it is, with scrambled names, as edges, posterised, small. K of the
first 24 images of a class support, the others ask. Measured are: accuracy and gain at more shots as
several curves predict them, the coverage of the interval, classes by need, images that can go,
and suspected label errors.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import least_squares
from torch import Tensor

from adapters.class_gains import ClassGain, class_gains
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, LabelledEmbeddings, SupportSet
from adapters.held_out_votes import HeldOutVotes
from adapters.learning_curve import LearningCurve
from adapters.loading import load_backbone
from adapters.rest import Rest, no_rest
from adapters.spare_images import spare_images
from adapters.tuning.tuning import Tuning
from benchmarks.generic_tasks import STYLES, Pool, pool

SIZES, SHOTS, MOST, MORE = (5, 20, 50), (4, 8, 16), 24, 8
Notes = dict[str, list[float]]


@dataclass(frozen=True)
class Draw:
    """Classes in a random order, with the rows of their images; the first MOST may support."""

    pool: Pool
    scale: float
    classes: ClassSet
    rows: list[list[int]]

    def support(self, shots: list[int]) -> SupportSet:
        """The first so many images of each class."""
        rows = [row for own, k in zip(self.rows, shots, strict=True) for row in own[:k]]
        columns = torch.arange(len(shots)).repeat_interleave(torch.tensor(shots))
        return SupportSet(
            torch.arange(len(rows)), columns, self.pool.embeddings[torch.tensor(rows)]
        )

    def fitted(self, support: SupportSet) -> FewShotClassifier:
        """``auto`` on a support set."""
        return FewShotClassifier("auto", self.scale).fit(self.classes, support)

    def recalls(self, support: SupportSet) -> Tensor:
        """(N,) recall of each class, of the images that never support."""
        rows = torch.tensor([row for own in self.rows for row in own[MOST:]])
        counts = torch.tensor([len(own[MOST:]) for own in self.rows])
        truth = torch.arange(len(counts)).repeat_interleave(counts)
        answers = self.fitted(support).answer(self.pool.embeddings[rows], 0)
        right = (answers.probabilities.argmax(dim=1) == truth).double()
        return torch.zeros(len(counts), dtype=torch.float64).index_add_(0, truth, right) / counts

    def accuracy(self, support: SupportSet) -> float:
        """Mean recall."""
        return float(self.recalls(support).mean())


class Untuned(FewShotClassifier):
    """Parts answer by the tuning of the whole: cheaper."""

    def __init__(self, whole: FewShotClassifier) -> None:
        super().__init__(whole.method, whole.logit_scale)
        self.whole = whole.tuning

    def tune(
        self, classes: ClassSet, images: LabelledEmbeddings, *, rest: Rest = no_rest
    ) -> Tuning:
        """Tune nothing."""
        return self.whole


def drawn(one: Pool, scale: float, n_classes: int, seed: str, scrambled: bool) -> Draw:
    """Draw classes and the order of their images."""
    chance = random.Random(seed)
    labels = chance.sample(range(len(one.texts)), n_classes)
    named = chance.sample(labels, n_classes) if scrambled else labels
    rows = [one.rows(label) for label in labels]
    for own in rows:
        chance.shuffle(own)
    return Draw(one, scale, ClassSet(torch.arange(n_classes), one.texts[named]), rows)


def draws(pools: dict[str, Pool], scale: float, n: int) -> Iterator[Draw]:
    """All draws, of every style and size."""
    for style, one in pools.items():
        for n_classes in sorted({min(size, len(one.texts)) for size in SIZES}):
            for number in range(n):
                for scrambled in (False, True):
                    yield drawn(one, scale, n_classes, f"{style}/{n_classes}/{number}", scrambled)


def least_squares_gain(shots: np.ndarray, errors: np.ndarray, k: int, m: int, form: str) -> float:
    """Gain from k to m shots by least squares: ``a + b · k ** -c``, or with a = 0."""
    if form == "power law":

        def law(p: np.ndarray, at: np.ndarray | int) -> np.ndarray:
            return p[0] + p[1] * np.asarray(at, dtype=float) ** -p[2]

        start, bounds = [0.01, errors.max() + 1e-3, 0.5], ([0, 0, 0], [1, 1.5, 3])
    else:

        def law(p: np.ndarray, at: np.ndarray | int) -> np.ndarray:
            return p[0] * np.asarray(at, dtype=float) ** -p[1]

        start, bounds = [errors.max() + 1e-3, 0.5], ([0, 0], [1.5, 3])
    found = least_squares(lambda p: law(p, shots) - errors, start, bounds=bounds).x
    return float(law(found, k) - law(found, m))


def curves(draw: Draw, k: int, notes: Notes) -> tuple[LearningCurve, HeldOutVotes] | None:
    """What is foretold of more images of every class, and what they bring."""
    n = len(draw.rows)
    support = draw.support([k] * n)
    whole = draw.fitted(support)
    right = whole.left_out_probabilities().argmax(dim=1) == support.labels
    now = draw.accuracy(support)
    parts = {
        "auto": lambda: FewShotClassifier("auto", draw.scale),
        "gda++": lambda: FewShotClassifier("gda++", draw.scale),
        "auto, tuned once": lambda: Untuned(whole),
    }
    found = {}
    for name, fresh in parts.items():
        votes = HeldOutVotes.of(fresh, draw.classes, support.labelled, right)
        curve = LearningCurve.of(votes)
        if curve is not None:
            found[name] = curve, votes
    for m in sorted({min(2 * k, MOST), min(k + MORE, MOST)}):
        gain = draw.accuracy(draw.support([m] * n)) - now
        notes.setdefault(f"{k} shots, true gain", []).append(gain)
        notes.setdefault(f"{k} shots, error without a curve", []).append(abs(gain))
        for name, (curve, _) in found.items():
            foretold = curve.gain(np.full(n, k), np.full(n, m))
            notes.setdefault(f"{k} shots, error by {name}", []).append(abs(foretold.value - gain))
            if name != "auto":
                continue
            notes.setdefault(f"{k} shots, bias", []).append(foretold.value - gain)
            notes.setdefault(f"{k} shots, width of the interval", []).append(
                foretold.high - foretold.low
            )
            # A difference of two shares of so many answers has a chance of its own.
            queries = sum(len(own[MOST:]) for own in draw.rows)
            chance = 1.64 * (max(abs(gain), 0.02) / queries) ** 0.5
            low, high = foretold.value - foretold.low, foretold.high - foretold.value
            inside = -((low**2 + chance**2) ** 0.5) <= gain - foretold.value
            inside &= gain - foretold.value <= (high**2 + chance**2) ** 0.5
            notes.setdefault(f"{k} shots, in the interval (90 asked)", []).append(inside)
            for form in ("power law", "power law to 0"):
                other = least_squares_gain(curve.shots, 1 - curve.measured, k, m, form)
                notes.setdefault(f"{k} shots, error by {form}, least squares", []).append(
                    abs(other - gain)
                )
    return found.get("auto")


def needs(
    draw: Draw, k: int, curve: LearningCurve, votes: HeldOutVotes, notes: Notes, chance: int
) -> None:
    """What images of a fifth of the classes bring: of those in need, of any, of the others."""
    n = len(draw.rows)
    gains = class_gains(curve, votes, np.full(n, k), MORE)
    known = [(i, one) for i, one in enumerate(gains) if one is not None]
    known.sort(key=lambda pair: -pair[1].gain.value)
    some = max(n // 5, 1)
    drawn_ones = random.Random(chance).sample(known, some)
    before = draw.recalls(draw.support([k] * n))
    groups: dict[str, list[tuple[int, ClassGain]]] = {
        "first": known[:some],
        "any": drawn_ones,
        "last": known[-some:],
    }
    for name, group in groups.items():
        chosen = [i for i, _ in group]
        shots = [k + MORE if i in chosen else k for i in range(n)]
        gained = draw.recalls(draw.support(shots)) - before
        notes.setdefault(f"{k} shots, a fifth of the classes, {name}: foretold", []).append(
            float(np.mean([one.gain.value for _, one in group]))
        )
        notes.setdefault(f"{k} shots, a fifth of the classes, {name}: true", []).append(
            float(gained[chosen].mean())
        )
        notes.setdefault(f"{k} shots, a fifth of the classes, {name}: accuracy", []).append(
            float(gained.mean())
        )


def spare(draw: Draw, k: int, notes: Notes, chance: int) -> None:
    """Accuracy lost without the images that can go, and without as many of any."""
    support = draw.support([k] * len(draw.rows))
    probabilities = draw.fitted(support).left_out_probabilities()
    own = probabilities.gather(1, support.labels.unsqueeze(1)).squeeze(1)
    own = torch.where(probabilities.argmax(dim=1) == support.labels, own, 0.0)
    gone = spare_images(support.labelled, support.labels, own).rows
    full = draw.accuracy(support)
    others = torch.randperm(len(support), generator=torch.Generator().manual_seed(chance))
    for name, rows in (("that can go", gone), ("any", others[: len(gone)])):
        loss = full - draw.accuracy(support.without(support.ids[rows]))
        notes.setdefault(f"{k} shots, loss without a quarter: {name}", []).append(loss)


def mislabelled(draw: Draw, k: int, share: float, notes: Notes, chance: int) -> None:
    """Accuracy gained without suspects, by how sure they are, with some labels moved."""
    support = draw.support([k] * len(draw.rows))
    rng = random.Random(chance)
    labels = support.labels.clone()
    for i in rng.sample(range(len(labels)), round(share * len(labels))):
        labels[i] = (labels[i] + rng.randrange(1, len(draw.rows))) % len(draw.rows)
    support = SupportSet(support.ids, labels, support.embeddings)
    probabilities = draw.fitted(support).left_out_probabilities()
    own = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)
    full = draw.accuracy(support)
    for odds in (3, 10, 30):
        kept = probabilities.amax(dim=1) < odds * own
        if len(kept.unique()) > 1:
            gain = draw.accuracy(support[kept]) - full
            what = f"{share:.0%} of labels moved: gain without suspects of odds {odds}"
            notes.setdefault(what, []).append(gain)


def measured(pools: dict[str, Pool], scale: float, n: int) -> dict[str, float]:
    """All figures, in %."""
    notes: Notes = {}
    every = list(draws(pools, scale, n))
    for number, draw in enumerate(track(every, "draws")):
        for k in SHOTS:
            found = curves(draw, k, notes)
            if found is not None:
                needs(draw, k, *found, notes, number)
            if k >= 8:
                spare(draw, k, notes, number)
        for share in (0.0, 0.06):
            mislabelled(draw, 8, share, notes, number)
    return {what: 100 * float(np.mean(values)) for what, values in sorted(notes.items())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--styles", default="all", help="`all`, or some, with commas between.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    backbone = load_backbone("lite", "cpu")
    names = list(STYLES) if arguments.styles == "all" else arguments.styles.split(",")
    pools = {name: pool(backbone, arguments.folder, STYLES[name], name) for name in names}
    found = measured(pools, backbone.logit_scale, arguments.draws)
    table = Table("", "%")
    for what, value in found.items():
        table.add_row(what, f"{value:.2f}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
