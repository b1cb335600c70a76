"""Is what a support set says of more images true? The search behind the advice.

    .venv/bin/python -m benchmarks.learning_curves FOLDER [--draws 3] [--styles ...] [--test FOLDER]

FOLDER holds CLASS/IMAGE files with at least 32 images a class, such as Caltech-101: as they are, at
32 pixels, as edges and posterised, each with its names and with scrambled ones. K of the first 24
images of a class support, the others ask; with ``--test`` its images ask. Measured are the gain of
more shots as several curves foretell it, how often the interval holds it, classes by need, images
that can go, and suspected label errors.
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

from adapters.class_gains import class_gains
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.held_out_votes import HeldOutVotes
from adapters.learning_curve import LearningCurve
from adapters.loading import load_backbone
from adapters.rest import Rest, no_rest
from adapters.spare_images import spare_images
from adapters.tuning.tuning import Tuning
from benchmarks.generic_tasks import Pool, Style, as_it_is, edges, pool, posterised, tiny

SIZES, SHOTS, MOST, MORE = (5, 20, 50), (4, 8, 16), 24, 8
Notes = dict[str, list[float]]


FORMS: dict[str, Style] = {
    "as it is": as_it_is,
    "32 pixels": tiny,
    "edges": edges,
    "posterised": posterised,
}


@dataclass(frozen=True)
class Draw:
    """Classes in a random order, with the rows of their images; the first ``most`` may support."""

    pool: Pool
    scale: float
    classes: ClassSet
    rows: list[list[int]]
    most: int

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
        rows = torch.tensor([row for own in self.rows for row in own[self.most :]])
        counts = torch.tensor([len(own[self.most :]) for own in self.rows])
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


def drawn(
    one: Pool, scale: float, n_classes: int, seed: str, scrambled: bool, n_train: int | None = None
) -> Draw:
    """Draw classes and the order of their images; those from row ``n_train`` on only ask."""
    chance = random.Random(seed)
    labels = chance.sample(range(len(one.texts)), n_classes)
    named = chance.sample(labels, n_classes) if scrambled else labels
    rows = [chance.sample(own, len(own)) for own in map(one.rows, labels)]
    most = MOST
    if n_train is not None:
        most = min(MOST, *(sum(row < n_train for row in own) for own in rows))
        rows = [
            [row for row in own if row < n_train][:most] + [row for row in own if row >= n_train]
            for own in rows
        ]
    return Draw(one, scale, ClassSet(torch.arange(n_classes), one.texts[named]), rows, most)


def draws(
    pools: dict[str, Pool], scale: float, n: int, n_train: int | None = None
) -> Iterator[Draw]:
    """All draws, of every style and size."""
    for style, one in pools.items():
        for n_classes in sorted({min(size, len(one.texts)) for size in SIZES}):
            for number in range(n):
                for scrambled in (False, True):
                    seed = f"{style}/{n_classes}/{number}"
                    yield drawn(one, scale, n_classes, seed, scrambled, n_train)


def least_squares_gain(shots: np.ndarray, errors: np.ndarray, k: int, m: int, form: str) -> float:
    """Gain from k to m shots by least squares: ``a + b · k ** -c``, or with a = 0."""
    highest = 1.0 if form == "power law" else 1e-9

    def law(p: np.ndarray, at: np.ndarray | int) -> np.ndarray:
        return np.asarray(p[0] + p[1] * np.asarray(at, dtype=float) ** -p[2])

    def misses(p: np.ndarray) -> np.ndarray:
        return np.asarray(law(p, shots) - errors)

    start, bounds = [highest / 100, errors.max() + 1e-3, 0.5], ([0, 0, 0], [highest, 1.5, 3])
    found = least_squares(misses, start, bounds=bounds).x
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
    for m in sorted({min(2 * k, draw.most), min(k + MORE, draw.most)}):
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
            queries = sum(len(own[draw.most :]) for own in draw.rows)
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


def needs(draw: Draw, k: int, curve: LearningCurve, votes: HeldOutVotes, notes: Notes) -> None:
    """What more images of one class bring: of the fifth in need, of any, of the last fifth."""
    n = len(draw.rows)
    gains = class_gains(curve, votes, np.full(n, k), MORE)
    known = [(one.gain.value, i) for i, one in enumerate(gains) if one is not None]
    before = draw.recalls(draw.support([k] * n))
    gained = {
        i: draw.recalls(draw.support([k + MORE * (i == j) for j in range(n)])) - before
        for _, i in known
    }
    order = sorted(known, key=lambda pair: -pair[0])
    fifth = max(n // 5, 1)
    for name, some in (("first", order[:fifth]), ("any", order), ("last", order[-fifth:])):
        what = f"{k} shots, 8 more images of a class, {name}: "
        for foretold, i in some:
            notes.setdefault(what + "its gain foretold", []).append(foretold)
            notes.setdefault(what + "its true gain", []).append(float(gained[i][i]))
            notes.setdefault(what + "gain of all", []).append(float(gained[i].mean()))


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
        if len(set(kept.tolist())) > 1:
            gain = draw.accuracy(support[kept]) - full
            what = f"{share:.0%} of labels moved: gain without suspects of odds {odds}"
            notes.setdefault(what, []).append(gain)


def measured(
    pools: dict[str, Pool], scale: float, n: int, n_train: int | None = None
) -> dict[str, float]:
    """All figures, in %."""
    notes: Notes = {}
    every = list(draws(pools, scale, n, n_train))
    for number, draw in enumerate(track(every, "draws")):
        for k in (k for k in SHOTS if k < draw.most):
            found = curves(draw, k, notes)
            if found is not None and len(draw.rows) <= 20 and k + MORE <= draw.most:
                needs(draw, k, *found, notes)
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
    parser.add_argument("--styles", default=",".join(FORMS))
    parser.add_argument("--test", type=Path, help="Images of the same classes that ask.")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    backbone = load_backbone("lite", "cpu")
    styles = arguments.styles.split(",")
    pools = {name: pool(backbone, arguments.folder, FORMS[name], name) for name in styles}
    n_train = None
    for name, one in pools.items() if arguments.test else ():
        n_train = len(one.labels)
        asking = pool(backbone, arguments.test, FORMS[name], f"{name}, test")
        both = ImageEmbeddings.concatenate([one.embeddings, asking.embeddings])
        pools[name] = Pool(both, torch.cat([one.labels, asking.labels]), one.texts)
    found = measured(pools, backbone.logit_scale, arguments.draws, n_train)
    table = Table("", "%")
    for what, value in found.items():
        table.add_row(what, f"{value:.2f}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
