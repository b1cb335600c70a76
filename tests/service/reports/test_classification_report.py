"""The values of a report, computed a second time by loops."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from service.registry.snapshot import Snapshot
from service.reports.classification_report import MAX_MATRIX, classification_report
from service.reports.example import EXAMPLE
from service.reports.leave_one_out import MAX_IMAGES, stratified
from service.reports.schemas import ReportOut
from service.storage.records import ClassRecord, SupportRecord

NOW = datetime.now(UTC)


def blobs(shots: list[int], noise: float = 0.7, seed: int = 0) -> tuple[ClassSet, SupportSet]:
    """Classes around random centres, with texts near them; ids are far from row numbers."""
    generator = torch.Generator().manual_seed(seed)
    n_classes = len(shots)
    columns = torch.arange(n_classes).repeat_interleave(torch.tensor(shots))
    columns = columns[torch.randperm(len(columns), generator=generator)]

    def near(width: int, rows: torch.Tensor, much: float) -> torch.Tensor:
        centres = torch.randn(n_classes, width, generator=torch.Generator().manual_seed(width))
        return normalize(
            centres[rows] + much * torch.randn(len(rows), width, generator=generator), dim=1
        )

    classes = ClassSet(10 * torch.arange(n_classes) + 7, near(12, torch.arange(n_classes), 0.5))
    embeddings = ImageEmbeddings(near(12, columns, 2 * noise), near(20, columns, noise))
    support = SupportSet(3 * torch.arange(len(columns)) + 100, classes.ids[columns], embeddings)
    return classes, support


def snapshot(
    classes: ClassSet,
    support: SupportSet,
    method: str = "tip-adapter++",
    n_bare: int = 0,
    joint: bool = False,
) -> Snapshot:
    """A state of a classifier; ``n_bare`` more classes are declared and cannot be answered."""
    ids = [*classes.ids.tolist(), *range(100_000, 100_000 + n_bare)]
    records = {f"class {i}": ClassRecord(id=i, label=f"class {i}", created_at=NOW) for i in ids}
    images = {
        i: SupportRecord(
            id=i,
            public_id=f"{i:032x}",
            class_id=label,
            filename=f"{i}.jpg",
            sha256="",
            media_type="image/jpeg",
            width=8,
            height=8,
            created_at=NOW,
        )
        for i, label in zip(support.ids.tolist(), support.labels.tolist(), strict=True)
    }
    tuning = FewShotClassifier(method, 20.0).tune(classes, support.labelled) if ids else Tuning()
    return Snapshot(
        name="blobs",
        method=method,
        logit_scale=20.0,
        records=records,
        images=images,
        classes=classes,
        support=support,
        tuning=tuning,
        joint=joint,
    )


@pytest.mark.parametrize("method", ["auto", "zero-shot", "tip-adapter++", "ape", "gda++"])
def test_report_agrees_with_loops(method: str) -> None:
    classes, support = blobs([6, 5, 1, 7], noise=1.2)
    state = snapshot(classes, support, method)
    made = classification_report(state)
    fitted = FewShotClassifier(method, 20.0).fit(classes, support, state.tuning)
    probabilities = fitted.left_out_probabilities().tolist()
    ids = classes.ids.tolist()
    labels = support.labels.tolist()
    shots = Counter(labels)
    named, suspected, sure, right = Counter[tuple[str, str]](), {}, [], []
    for image_id, label, row in zip(support.ids.tolist(), labels, probabilities, strict=True):
        if shots[label] == 1:
            continue
        best = row.index(max(row))
        own = row[ids.index(label)]
        named[f"class {label}", f"class {ids[best]}"] += 1
        sure.append(row[best])
        right.append(ids[best] == label)
        if ids[best] != label and row[best] >= 3 * own:
            suspected[f"{image_id:032x}"] = row[best] / own
    for one in made.classes:
        votes = {pair: count for pair, count in named.items() if pair[0] == one.label}
        assert one.n_images == shots[int(one.label.split()[1])]
        assert one.n_votes == sum(votes.values())
        if one.n_images == 1:
            assert one.accuracy is None
        else:
            assert one.accuracy == named[one.label, one.label] / one.n_votes
        wrong = {pair[1]: count for pair, count in votes.items() if pair[1] != one.label}
        if wrong:
            assert one.confused_with is not None
            assert wrong[one.confused_with] == max(wrong.values())
        else:
            assert one.confused_with is None
    accuracies = [one.accuracy for one in made.classes if one.accuracy is not None]
    assert made.accuracy == pytest.approx(np.mean(accuracies))
    assert {(c.label, c.named): c.count for c in made.confusions} == {
        pair: count for pair, count in named.items() if pair[0] != pair[1]
    }
    assert made.confusion_matrix is not None
    names = made.confusion_matrix.labels
    for name, counts in zip(names, made.confusion_matrix.rows, strict=True):
        assert counts == [named[name, other] for other in names]
    assert made.n_suspects == len(suspected)
    assert [s.image_id for s in made.suspects] == sorted(
        suspected, key=lambda i: suspected[i], reverse=True
    )
    assert suspected or method == "auto"  # which is sure of little after so few votes
    bins: dict[int, list[int]] = {}
    for i, value in enumerate(sure):
        bins.setdefault(min(int(np.float32(value) * 10), 9), []).append(i)
    assert [one.count for one in made.calibration.bins] == [len(bins[i]) for i in sorted(bins)]
    error = sum(abs(sum(sure[i] - right[i] for i in some)) for some in bins.values()) / len(sure)
    assert made.calibration.error == pytest.approx(error, abs=1e-5)


def test_accuracy_is_that_of_the_tuning() -> None:
    classes, support = blobs([6, 6, 4, 8], noise=1.2)
    made = classification_report(snapshot(classes, support, "gda++"))
    assert made.tuning.accuracy is not None
    assert made.tuning.accuracy < 1
    assert made.accuracy == pytest.approx(made.tuning.accuracy)


def test_overlap_is_the_sum_of_the_smaller_shares() -> None:
    classes, support = blobs([6, 5, 7])
    made = classification_report(snapshot(classes, support))
    keys = support.embeddings.corrected.numpy()
    upper = np.triu_indices(len(keys), 1)
    same = (support.labels.numpy()[:, None] == support.labels.numpy())[upper]
    similarity = (keys @ keys.T)[upper]
    shares = [np.histogram(similarity[m], 200, (-1, 1))[0] / m.sum() for m in (same, ~same)]
    found = made.overlap.corrected
    assert (found.n_paired, found.n_unpaired) == (same.sum(), (~same).sum())
    assert found.overlap == pytest.approx(np.minimum(*shares).sum(), abs=1e-5)
    assert sum(min(one.paired, one.unpaired) for one in found.bins) == pytest.approx(found.overlap)
    assert sum(one.paired for one in found.bins) == pytest.approx(1)
    assert all(-1 <= one.low < one.high <= 1 for one in found.bins)
    assert made.overlap.frozen != made.overlap.corrected


@pytest.mark.parametrize("method", ["tip-adapter++", "gda++"])
def test_measures_are_computed_on_the_images_that_take_part(method: str) -> None:
    classes, support = blobs([6, 5, 1, 7])
    found = classification_report(snapshot(classes, support, method)).measures
    labels = classes.columns(support.labels).tolist()
    upper = np.triu(np.ones((len(labels), len(labels)), dtype=bool), 1)
    same = np.equal.outer(labels, labels)
    rights = []
    for name, values in (("frozen", found.frozen), ("corrected", found.corrected)):
        keys = getattr(support.embeddings, name).double().numpy()
        cosines = keys @ keys.T
        np.fill_diagonal(cosines, -np.inf)
        right = [labels[j] == labels[i] for i, j in enumerate(cosines.argmax(axis=1))]
        judged = [r for r, label in zip(right, labels, strict=True) if labels.count(label) > 1]
        rights.append(judged)
        assert found.n_judged == len(judged) == 18
        assert values.neighbour_accuracy == np.mean(judged)
        assert values.paired_similarity == pytest.approx(cosines[same & upper].mean(), abs=1e-5)
        assert values.unpaired_similarity == pytest.approx(cosines[~same & upper].mean(), abs=1e-5)
        uniformity = np.log(np.exp(4 * cosines[upper] - 4).mean())
        assert values.uniformity == pytest.approx(uniformity, abs=1e-5)
        assert values.variance == pytest.approx(keys.var(axis=0).sum(), abs=1e-5)
    sides = list(zip(*rights, strict=True))
    assert (found.gained, found.lost) == (sides.count((False, True)), sides.count((True, False)))
    assert found.gained > 0
    assert classes.texts is not None
    frozen, texts = support.embeddings.frozen.double().numpy(), classes.texts.double().numpy()
    distances = 2 - 2 * frozen @ texts.T
    rows = np.arange(len(labels))
    own = distances[rows, labels]
    distances[rows, labels] = np.inf
    named = found.frozen.texts
    assert named is not None
    assert named.alignment == pytest.approx(own.mean(), abs=1e-5)
    assert named.relative_alignment == pytest.approx((own - distances.min(1)).mean(), abs=1e-5)
    gap = np.linalg.norm(frozen.mean(axis=0) - texts[labels].mean(axis=0))
    assert named.modality_gap == pytest.approx(gap, abs=1e-5)
    assert found.corrected.texts is None
    assert not found.same_space


def test_corrected_embedding_is_compared_with_texts_when_in_their_space() -> None:
    classes, support = blobs([6, 5, 7])
    both = ImageEmbeddings(support.embeddings.frozen, support.embeddings.frozen.roll(1, 0))
    joint = SupportSet(support.ids, support.labels, both)
    found = classification_report(snapshot(classes, joint, joint=True)).measures
    assert found.same_space
    assert found.is_corrected
    assert found.corrected.texts is not None
    assert found.frozen.texts is not None
    assert found.corrected.texts.alignment != found.frozen.texts.alignment
    assert found.corrected.texts.uniformity == pytest.approx(found.frozen.texts.uniformity)


def test_suspect_comes_with_nearest_image_of_the_predicted_class() -> None:
    classes, support = blobs([8, 8, 8], noise=0.3)
    labels = support.labels.clone()
    labels[5] = next(i for i in classes.ids.tolist() if i != labels[5])
    moved = SupportSet(support.ids, labels, support.embeddings)
    [suspect] = classification_report(snapshot(classes, moved)).suspects
    keys = support.embeddings.corrected
    assert suspect.image_id == f"{int(support.ids[5]):032x}"
    assert (suspect.label, suspect.named) == (f"class {labels[5]}", f"class {support.labels[5]}")
    assert suspect.probability > 3 * suspect.own_probability
    rows = [i for i in range(len(keys)) if labels[i] == support.labels[5]]
    nearest = max(rows, key=lambda i: float(keys[i] @ keys[5]))
    assert suspect.nearest is not None
    assert suspect.nearest.image_id == f"{int(support.ids[nearest]):032x}"
    assert suspect.nearest.similarity == pytest.approx(float(keys[nearest] @ keys[5]), abs=1e-6)
    assert suspect.url == f"/v1/classifiers/blobs/classes/class%20{labels[5]}/images/" + (
        suspect.image_id
    )


def test_near_duplicates_do_not_vote_when_they_are_many() -> None:
    """Every image twice: without care each would name its copy, and accuracy would be perfect."""
    classes, support = blobs([6, 6, 6], noise=2.5, seed=3)
    alone = classification_report(snapshot(classes, support))
    keys = support.embeddings
    twins = SupportSet(
        support.ids + 1,
        support.labels,
        ImageEmbeddings(
            normalize(keys.frozen + 1e-3, dim=1), normalize(keys.corrected + 1e-3, dim=1)
        ),
    )
    made = classification_report(snapshot(classes, support.with_added(twins)))
    # With noise in 20 dimensions two images may be near by chance.
    assert 18 <= made.n_redundant <= 20
    left_out = made.examined.near_copies_left_out
    assert 18 <= left_out <= 24
    assert (made.examined.images, made.examined.votes) == (36, 36 - left_out)
    twice = [one for one in made.redundant if one.copy_of.similarity > 0.999]
    assert len(twice) >= 16
    for one in twice:
        assert int(one.image_id, 16) == int(one.copy_of.image_id, 16) + 1
        assert one.label == one.copy_of.label
    assert alone.accuracy is not None
    assert made.accuracy == pytest.approx(alone.accuracy, abs=0.12)
    assert made.accuracy is not None
    assert made.accuracy < 1


def test_class_without_images_can_be_predicted_and_has_no_accuracy() -> None:
    classes, support = blobs([5, 5, 5], noise=0.2)
    bare = classes.ids[2]
    # One image of it is registered as another class; the name alone claims it.
    labels = support.labels.clone()
    stray = int((labels == bare).nonzero()[0])
    labels[stray] = classes.ids[0]
    moved = SupportSet(support.ids, labels, support.embeddings)
    made = classification_report(snapshot(classes, moved[labels != bare], "zero-shot"))
    last = made.classes[2]
    assert (last.n_images, last.n_votes, last.accuracy) == (0, 0, None)
    [suspect] = made.suspects
    assert suspect.image_id == f"{int(support.ids[stray]):032x}"
    assert suspect.named == last.label
    assert suspect.nearest is None


def test_declared_classes_are_not_predicted_when_names_carry_no_meaning() -> None:
    classes, support = blobs([4, 4])
    made = classification_report(snapshot(ClassSet(classes.ids, None), support, n_bare=2))
    assert made.n_classes == 4
    assert [one.n_votes for one in made.classes] == [4, 4, 0, 0]


@pytest.mark.parametrize("shots", [[], [1, 1, 1], [1], [2], [5]])
def test_report_is_complete_for_few_images(shots: list[int]) -> None:
    if shots:
        classes, support = blobs(shots)
    else:
        none = torch.empty(0, dtype=torch.int64)
        classes, support = ClassSet(none, None), SupportSet.empty(12, 20)
    made = classification_report(snapshot(classes, support))
    assert made.n_images == sum(shots)
    if sum(shots) == len(shots):
        assert made.accuracy is None
        assert made.examined.votes == 0
        assert made.calibration.error is None
    else:
        assert made.accuracy == 1  # a single class is named always
    assert made.overlap.corrected.overlap is None
    assert made.suspects == []
    if not shots:
        figures = made.measures.frozen.model_dump(exclude={"texts"})
        assert set(figures.values()) == {None}


def test_confusion_matrix_is_null_above_the_largest_size() -> None:
    made = classification_report(snapshot(*blobs([2] * (MAX_MATRIX + 1), noise=2.0)))
    assert made.confusion_matrix is None
    assert len(made.classes) == MAX_MATRIX + 1
    counts = [one.count for one in made.confusions]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) > 0


def test_report_says_when_images_beyond_the_limit_are_left_out() -> None:
    classes, support = blobs([MAX_IMAGES, 30, 2])
    made = classification_report(snapshot(classes, support))
    assert not made.examined.complete
    assert made.n_images == MAX_IMAGES + 32
    assert made.examined.images == MAX_IMAGES
    assert [one.n_votes for one in made.classes] == [MAX_IMAGES - 32, 30, 2]
    assert made.classes[0].n_images == MAX_IMAGES


def test_stratified_rows_keep_small_classes_whole() -> None:
    labels = torch.tensor([9] * 100 + [4, 4, 4] + [1] * 100 + [7])
    rows = stratified(labels, 50)
    assert Counter(labels[rows].tolist()) == {9: 23, 1: 23, 4: 3, 7: 1}
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert stratified(labels, 1000).tolist() == list(range(204))
    # More classes than fit with two images each: pairs of some classes, not singles of all.
    many = torch.arange(300).repeat(3)
    assert Counter(Counter(many[stratified(many, 100)].tolist()).values()) == {2: 50}


def test_documented_example_is_a_valid_report() -> None:
    example = ReportOut.model_validate(EXAMPLE)
    assert example.model_dump(mode="json") == EXAMPLE
    for overlap in (example.overlap.frozen, example.overlap.corrected):
        assert overlap.overlap == sum(min(one.paired, one.unpaired) for one in overlap.bins)
