"""Classes left out, on made embeddings: what is held out, and what AUROC says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from service.datasets.dataset import Dataset, DatasetError
from service.evaluation.draws import Draws, hold_out
from service.evaluation.few_shot_protocol import FewShotProtocol, Result, evaluate
from service.evaluation.suggested_draws import pool, suggested
from service.name_validation import NOT_THESE

WIDTH = 32


def made(n_classes: int, untested: Sequence[str] = (), each: int = 20) -> Dataset:
    """Classes a, b, c, … with as many training as test images, none of which exist."""
    labels = tuple("abcdefghijkl"[:n_classes])
    files = {
        label: {
            split: tuple(Path(f"{split}/{label}/{i}") for i in range(each))
            for split in ("train", "test")
        }
        for label in labels
    }
    test = {label: () if label in untested else files[label]["test"] for label in labels}
    return Dataset("made", labels, {label: files[label]["train"] for label in labels}, test)


class MadeFeatures:
    """Embeddings around a centre for each class; ``spread`` is the noise on them."""

    def __init__(self, spread: float) -> None:
        self.spread = spread
        self.computed: set[Path] = set()

    def compute(self, paths: Iterable[Path]) -> None:
        self.computed |= set(paths)

    def of(self, paths: Sequence[Path]) -> ImageEmbeddings:
        assert self.computed.issuperset(paths)
        rows = torch.stack([self._row(path) for path in paths])
        return ImageEmbeddings(rows, rows)

    def _row(self, path: Path) -> torch.Tensor:
        label = "abcdefghijkl".index(path.parent.name)
        noise = torch.Generator().manual_seed(hash_of(path))
        centre = torch.eye(WIDTH)[label]
        return normalize(centre + self.spread * torch.randn(WIDTH, generator=noise), dim=0)


def hash_of(path: Path) -> int:
    return int.from_bytes(str(path).encode(), "big") % 2**63


def run(dataset: Dataset, spread: float, protocol: FewShotProtocol) -> list[Result]:
    backbone: Any = SimpleNamespace(logit_scale=100.0)
    features: Any = MadeFeatures(spread)
    return evaluate(dataset, backbone, features, protocol, Console(quiet=True))


@pytest.mark.parametrize(
    ("n_classes", "share", "count"),
    [(3, 0.01, 1), (3, 0.99, 1), (4, 0.5, 2), (10, 0.3, 3), (10, 0.01, 1), (10, 0.99, 8)],
)
def test_held_out_share_is_kept_and_two_classes_are_left(
    n_classes: int, share: float, count: int
) -> None:
    dataset = made(n_classes)
    drawn = set()
    for seed in range(20):
        known, unknown = hold_out(dataset, share, seed)
        left_out = {query.label for query in unknown}
        assert len(left_out) == count
        assert set(known.labels) == set(dataset.labels) - left_out
        assert len(unknown) == 20 * count
        assert not left_out & {example.label for example in known.draw(16, seed)}
        assert not left_out & {query.label for query in known.queries}
        drawn.add(frozenset(left_out))
        assert hold_out(dataset, share, seed) == (known, unknown)
    assert len(drawn) > 1


def test_only_classes_with_queries_are_held_out() -> None:
    dataset = made(5, untested=("a", "c"))
    for seed in range(20):
        known, unknown = hold_out(dataset, 0.99, seed)
        assert {query.label for query in unknown} < {"b", "d", "e"}
        assert known.queries


@pytest.mark.parametrize("dataset", [made(2), made(4, untested=("a", "b", "c"))])
def test_holding_out_of_too_few_classes_is_refused(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"at least three classes.*Add classes"):
        hold_out(dataset, 0.5, 0)
    with pytest.raises(DatasetError):
        Draws(dataset, (1,), (0,), 0.5).files()


def test_auroc_is_high_for_separate_classes_and_half_for_noise() -> None:
    protocol = FewShotProtocol(
        ("gda++", "tip-adapter++"), (1, 8), (0, 1), names_carry_meaning=False,
        leave_classes_out=0.5,
    )  # fmt: skip
    results = run(made(8), 0.05, protocol)
    assert [(r.shots, r.seed, r.method) for r in results] == [
        (k, seed, method) for k in (1, 8) for seed in (0, 1) for method in protocol.methods
    ]
    for result in results:
        assert (result.n_classes, len(result.correct), result.n_unknown) == (4, 80, 80)
        assert result.metrics.accuracy > 0.95
        # With one image a class there is nothing to know familiarity from.
        if result.shots == 1:
            assert result.metrics.auroc is None
            assert result.metrics.rejected_known is None
        else:
            assert result.metrics.auroc is not None
            assert result.metrics.auroc > 0.99
            assert result.metrics.rejected_known is not None
            assert result.metrics.rejected_known < 0.2
            assert result.metrics.rejected_unknown == 1

    noise = run(made(8), 50.0, protocol)
    for result in noise:
        if result.shots == 8:
            assert result.metrics.auroc == pytest.approx(0.5, abs=0.15)


def test_all_classes_take_part_when_none_are_held_out() -> None:
    protocol = FewShotProtocol(("gda++",), (4,), (0,), names_carry_meaning=False, coverage=0.9)
    (result,) = run(made(5, untested=("b",)), 0.05, protocol)
    assert (result.n_classes, len(result.correct), result.n_unknown) == (5, 80, 0)
    assert result.metrics.auroc is None
    assert result.metrics.rejected_known is not None
    assert result.metrics.coverage is not None
    assert 0.7 < result.metrics.coverage <= 1


def with_negatives(n_classes: int) -> Dataset:
    """The last class as explicit negatives."""
    plain = made(n_classes)
    last = plain.labels[-1]
    labels = (*plain.labels[:-1], NOT_THESE)
    train, test = (
        {label: files[last if label == NOT_THESE else label] for label in labels}
        for files in (plain.train, plain.test)
    )
    return Dataset("made", labels, train, test)


def test_negatives_are_no_class_and_test_images_like_them_are_unknown() -> None:
    dataset = with_negatives(5)
    features: Any = MadeFeatures(0.1)
    draws = Draws(dataset, (3,), (0,))
    features.compute(draws.files())
    [draw] = draws.embedded(features, None)
    assert draw.classes.ids.tolist() == [0, 1, 2, 3]
    assert (len(draw.support), len(draw.queries), len(draw.unknown)) == (12, 80, 20)
    assert draw.negatives is not None
    assert len(draw.negatives) == 3
    assert not set(draw.negatives.ids.tolist()) & set(draw.support.ids.tolist())
    held_out = Draws(dataset, (3,), (0,), leave_classes_out=0.5)
    features.compute(held_out.files())
    [draw] = held_out.embedded(features, None)
    assert (len(draw.classes), len(draw.unknown)) == (2, 60)
    [plain] = (d for d in Draws(made(3), (3,), (0,)).embedded(features, None))
    assert plain.negatives is None


def test_negatives_are_measured() -> None:
    protocol = FewShotProtocol(("auto",), (4,), (0, 1), names_carry_meaning=False)
    for result in run(with_negatives(6), 0.3, protocol):
        assert result.n_classes == 5
        assert result.n_unknown == 20
        assert result.metrics.auroc is not None
        assert result.metrics.auroc > 0.9
        assert result.tuning.negatives_weight is not None


def test_pool_of_suggestions_is_three_quarters_and_holds_the_random_draw() -> None:
    dataset = made(4)
    pools = {frozenset(example.path for example in pool(dataset, seed)) for seed in range(5)}
    assert len(pools) == 5
    for seed in range(5):
        of_draw = pool(dataset, seed)
        assert [example.label for example in of_draw] == [one for one in "abcd" for _ in range(15)]
        assert {e.path for e in dataset.draw(15, seed)} == {e.path for e in of_draw}
        assert pool(dataset.only({"b"}), seed) == of_draw[15:30]
    assert len(pool(made(2, each=1), 0)) == 2


def test_suggested_images_are_typical_of_their_class_and_contain_the_fewer() -> None:
    class Odd(MadeFeatures):
        """The last six images of each class look like nothing else."""

        def _row(self, path: Path) -> torch.Tensor:
            row = super()._row(path)
            return row if int(path.name) < 14 else torch.eye(WIDTH)[-int(path.name)]

    dataset = made(3)
    features: Any = Odd(0.05)
    for seed in range(5):
        features.compute(example.path for example in pool(dataset, seed))
        found = suggested(dataset, 1, seed, features)
        assert [example.label for example in found] == ["a", "b", "c"]
        assert all(int(example.path.name) < 14 for example in found)
        more = suggested(dataset, 4, seed, features)
        assert [example.label for example in more] == [one for one in "abc" for _ in range(4)]
        assert more[::4] == found
        assert {e.path for e in more} <= {e.path for e in pool(dataset, seed)}


def test_suggested_images_support_a_draw() -> None:
    features: Any = MadeFeatures(0.3)
    draws = Draws(with_negatives(5), (2, 30), (0, 1), leave_classes_out=0.25, suggested=True)
    features.compute(draws.files())
    for draw in draws.embedded(features, None):
        # Classes that are held out are in no pool; a class has 15 images there.
        assert len(draw.classes) == 3
        assert len(draw.support) == 3 * min(draw.shots, 15)
        assert draw.negatives is not None
        assert len(draw.negatives) == min(draw.shots, 20)
    protocol = FewShotProtocol(("auto",), (1,), tuple(range(4)), names_carry_meaning=False)
    by_chance = run(made(6), 0.4, protocol)
    chosen = run(made(6), 0.4, replace(protocol, suggested=True))
    gain = sum(r.metrics.accuracy for r in chosen) - sum(r.metrics.accuracy for r in by_chance)
    assert gain / 4 > 0.03
