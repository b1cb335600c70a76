"""`HandfulHead` against scikit-learn's own classifiers on embeddings: accuracy and seconds.

    .venv/bin/python -m benchmarks.scikit_learn SET... [--draws 5]

SET holds train/CLASS/IMAGE and test/CLASS/IMAGE. Support images are drawn from train, the same ones
for all; the whole of test is asked. The last row knows the names of the classes, too, as
`HandfulClassifier` does. Peers are as they are by default, with a C that suits unit vectors, and
searched by cross-validation, as one would here.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

import handful
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from benchmarks.published import machine
from handful.pictures import embed
from handful.sklearn import HandfulHead
from service.datasets.dataset import read_classes

SHOTS = (1, 2, 4, 8)
STRENGTHS = np.logspace(-1, 3, 5)
RESULTS = Path("benchmark-results/scikit_learn.json")


class WithNames:
    """What `HandfulClassifier` does with the embeddings of images and names."""

    def __init__(self, texts: Tensor, logit_scale: float) -> None:
        self._classes = ClassSet(torch.arange(len(texts)), texts)
        self._head = FewShotClassifier("auto", logit_scale)

    def fit(self, images: ImageEmbeddings, codes: Tensor) -> WithNames:
        """Store and tune."""
        self._head.fit(self._classes, SupportSet(torch.arange(len(codes)), codes, images))
        return self

    def predict_proba(self, images: ImageEmbeddings) -> np.ndarray[Any, Any]:
        """(n, N) probabilities."""
        found: np.ndarray[Any, Any] = self._head.answer(images, 0).probabilities.numpy()
        return found


def searched(shots: int) -> Any:
    """Logistic regression whose C is searched; with one image a class there are no folds."""
    plain = LogisticRegression(max_iter=1000)
    if shots == 1:
        return plain
    return GridSearchCV(plain, {"C": STRENGTHS}, cv=min(shots, 3), scoring="neg_log_loss")


PEERS: Mapping[str, Callable[[int], Any]] = {
    "HandfulHead": lambda _: HandfulHead(),
    "LogisticRegression()": lambda _: LogisticRegression(max_iter=1000),
    "LogisticRegression(C=100)": lambda _: LogisticRegression(C=100, max_iter=1000),
    "LogisticRegression, C searched": searched,
    "KNeighborsClassifier(1)": lambda _: KNeighborsClassifier(1),
    "KNeighborsClassifier()": lambda shots: KNeighborsClassifier(min(5, 2 * shots)),
}


def measured(folder: Path, draws: int, backbone: handful.Backbone) -> list[dict[str, Any]]:
    """Of each peer, draw and number of shots: accuracy, cross-entropy and seconds."""
    train, test = read_classes(folder / "train"), read_classes(folder / "test")
    labels = sorted(train)
    pool = {label: embed(backbone, train[label]) for label in labels}
    asked = ImageEmbeddings.concatenate(
        [embed(backbone, test[label]) for label in labels if test.get(label)]
    )
    truth = np.array([i for i, label in enumerate(labels) for _ in test.get(label, ())])
    texts = backbone.encode_classes(labels, ())
    rows = []
    for shots in SHOTS:
        for seed in range(draws):
            random = np.random.default_rng(seed)
            drawn = [
                pool[label][torch.from_numpy(random.permutation(len(pool[label]))[:shots])]
                for label in labels
            ]
            support = ImageEmbeddings.concatenate(drawn)
            codes = np.array([i for i, some in enumerate(drawn) for _ in range(len(some))])
            keys, queries = support.corrected.numpy(), asked.corrected.numpy()
            for name, make in PEERS.items():
                found = timed(make(shots), keys, codes, queries, truth)
                rows.append({"set": folder.name, "shots": shots, "peer": name, **found})
            named = WithNames(texts, backbone.logit_scale)
            found = timed(named, support, torch.from_numpy(codes), asked, truth)
            rows.append({"set": folder.name, "shots": shots, "peer": "... with names", **found})
    return rows


def timed(peer: Any, images: Any, codes: Any, queries: Any, truth: Any) -> dict[str, float]:
    """Fit and ask a peer."""
    begin = time.perf_counter()
    peer.fit(images, codes)
    fitted = time.perf_counter()
    probabilities = peer.predict_proba(queries).astype(np.float64)
    asked = time.perf_counter()
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return {
        "accuracy": 100 * float((probabilities.argmax(axis=1) == truth).mean()),
        "cross_entropy": log_loss(truth, probabilities, labels=range(probabilities.shape[1])),
        "fit_s": fitted - begin,
        "ms_a_query": 1000 * (asked - fitted) / len(truth),
    }


def main() -> None:
    """Print a table for each set, and write all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    backbone, console = handful.load_backbone(), Console(width=120)
    rows = []
    for folder in arguments.sets:
        found = measured(folder, arguments.draws, backbone)
        table = Table("", *map(str, SHOTS), "fit s", "ms a query", title=folder.name)
        for name in dict.fromkeys(row["peer"] for row in found):
            mine = [row for row in found if row["peer"] == name]
            cells = []
            for shots in SHOTS:
                some = [row for row in mine if row["shots"] == shots]
                accuracy = mean(row["accuracy"] for row in some)
                cells.append(f"{accuracy:.1f} ({mean(row['cross_entropy'] for row in some):.2f})")
            most = [row for row in mine if row["shots"] == SHOTS[-1]]
            fit, query = (min(row[key] for row in most) for key in ("fit_s", "ms_a_query"))
            table.add_row(name, *cells, f"{fit:.3f}", f"{query:.3f}")
        console.print(table)
        rows += found
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
