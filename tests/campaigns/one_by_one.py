"""Images added one by one, then tuned, against the same images registered at once.

    python -m tests.campaigns.one_by_one SET [SET ...] [--shots 16] [--seeds 3] [--method auto]

SET is a folder with train/CLASS/IMAGE and test/CLASS/IMAGE. A quarter of the drawn images is
registered, the others are added one by one; a tenth is removed and added again. Prints the accuracy
on the test images while the tuning is stale, after it, and of the same images registered at once,
and the largest difference of probabilities between the latter two, which should be rounding.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from adapters.change import Change
from adapters.classifier import FewShotClassifier
from adapters.loading import load_backbone
from service.classifier_settings import ClassifierSettings
from service.datasets.dataset import read_dataset
from service.datasets.feature_cache import FeatureCache, default_folder
from service.datasets.features import Features
from service.evaluation.batched_answers import predict
from service.evaluation.draws import Draw, Draws
from service.registry.fitting import class_texts
from service.settings import Settings


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--method", default="auto")
    arguments = parser.parse_args()
    backbone = load_backbone("lite")
    print("set, seed: stale, tuned, at once; tuned - at once in probabilities")
    for folder in arguments.sets:
        dataset = read_dataset(folder)
        cache = FeatureCache(default_folder(), backbone)
        features = Features(backbone, Settings(), Console(quiet=True), cache)
        draws = Draws(dataset, [arguments.shots], range(arguments.seeds))
        features.compute(draws.files())
        texts = class_texts(ClassifierSettings(), list(dataset.labels), backbone)
        stacked = torch.stack([text for text in texts if text is not None])
        for draw in draws.embedded(features, stacked):
            stale, tuned, at_once, apart = compared(draw, arguments.method, backbone.logit_scale)
            print(
                f"{folder.name}, {draw.seed}: {stale:.2%} {tuned:.2%} {at_once:.2%}; {apart:.1e}",
                flush=True,
            )


def compared(draw: Draw, method: str, scale: float) -> tuple[float, float, float, float]:
    """Accuracies: before the tuning, after it, at once; the difference of the latter two."""
    order = torch.randperm(len(draw.support), generator=torch.Generator().manual_seed(draw.seed))
    first, later = order[: len(order) // 4], order[len(order) // 4 :]
    one_by_one = FewShotClassifier(method, scale).fit(draw.classes, draw.support[first])
    for row in later.tolist():
        one_by_one.update(Change(added=draw.support[torch.tensor([row])]))
    for row in order[::10].tolist():
        one_by_one.update(Change(removed=draw.support.ids[row : row + 1]))
        one_by_one.update(Change(added=draw.support[torch.tensor([row])]))
    stale = accuracy(one_by_one, draw)
    one_by_one.apply(one_by_one.retuned(one_by_one.classes, one_by_one.held))
    at_once = FewShotClassifier(method, scale).fit(draw.classes, one_by_one.support)
    ours, theirs = (predict(c, draw.queries).probabilities for c in (one_by_one, at_once))
    apart = float((ours - theirs).abs().max())
    return stale, accuracy(one_by_one, draw), accuracy(at_once, draw), apart


def accuracy(classifier: FewShotClassifier, draw: Draw) -> float:
    """Share of the test images that are named rightly."""
    right: Tensor = predict(classifier, draw.queries).probabilities.argmax(dim=1) == draw.truth
    return float(right.double().mean())


if __name__ == "__main__":
    main()
