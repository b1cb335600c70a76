"""Advice on a support set: is it enough, which class needs images most, which images can go."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adapters.class_gains import ClassGain, class_gains
from adapters.classifier import FewShotClassifier
from adapters.held_out_votes import MAX_IMAGES, HeldOutVotes
from adapters.learning_curve import Estimate, LearningCurve, too_few
from adapters.rest import Rest, no_rest
from adapters.spare_images import spare_images
from service.registry.snapshot import Snapshot
from service.reports import advice_words as words
from service.reports.advice_schemas import (
    AdviceOut,
    ClassNeed,
    EstimateOut,
    ExpectedPoint,
    LearningCurveOut,
    MeasuredPoint,
    Reason,
    SpareImage,
    Verdict,
)
from service.reports.image_issues import MAX_LISTED, ImageIndex
from service.reports.image_schemas import LookedUpImage, SimilarImage, Suspect
from service.reports.leave_one_out import LeaveOneOut, stratified
from service.reports.schemas import NearCopy

#: Images a class that gains are told for.
MORE = 8
# How many times as probable as its own class another one must be for an image to be pointed out.
# Without these accuracy rises by 0.2 points where 6 % of the labels are wrong, and falls by 0.8
# where none is (benchmarks/learning_curves.py): they are to be looked at, and never among what can
# go.
_ODDS = 30.0
_CURVE_POINTS = 24


def advice_on(
    snapshot: Snapshot,
    left_out: LeaveOneOut,
    index: ImageIndex,
    suspects: list[Suspect],
    copies: list[NearCopy],
    rest: Rest = no_rest,
) -> AdviceOut:
    """Advice on one state of a classifier.

    Costs about four full tunings with at most 2048 images.

    Args:
        snapshot: The state.
        left_out: Its leave-one-out predictions.
        index: Of its images.
        suspects: Suspected label errors, the clearest first.
        copies: Near copies, the nearest first.
        rest: Called as in a tuning.
    """
    shots = _shots(snapshot, left_out)
    curve, votes, text = _curve(snapshot, left_out, rest)
    verdict: Verdict = "cannot tell"
    shown = None
    gains: list[ClassGain | None] = [None] * len(shots)
    if curve is not None and votes is not None:
        shown = _shown(curve, shots)
        gains = class_gains(curve, votes, shots, MORE)
        verdict = words.verdict_on(shown.gain)
        text = words.verdict_text(verdict, shown, MORE)
    can_go = _can_go(left_out, index, suspects, copies, rest)
    return AdviceOut(
        classifier=snapshot.name,
        verdict=verdict,
        text=text,
        more=MORE,
        curve=shown,
        classes=_needs(snapshot, left_out, index, gains, judged=shown is not None),
        n_can_go=len(can_go),
        can_go=can_go[:MAX_LISTED],
        look_at=[one for one in suspects if one.probability >= _ODDS * one.own_probability],
    )


def _shots(snapshot: Snapshot, left_out: LeaveOneOut) -> NDArray[Any]:
    """(N,) images of each class, near copies counting once where many are near copies."""
    n_classes = len(snapshot.classes)
    every, looked_at = (
        np.bincount(snapshot.classes.columns(labels).numpy(), minlength=n_classes)
        for labels in (snapshot.support.labels, left_out.images.labels)
    )
    distinct = np.bincount(left_out.columns.numpy(), minlength=n_classes)
    return np.asarray(np.where(looked_at > 0, distinct * every / np.maximum(looked_at, 1), every))


def _curve(
    snapshot: Snapshot, left_out: LeaveOneOut, rest: Rest
) -> tuple[LearningCurve | None, HeldOutVotes | None, str]:
    """The learning curve and what it was fitted to, or why there is none."""
    if snapshot.method == "zero-shot":
        return None, None, words.NAMES_ALONE
    if len(set(left_out.columns.tolist())) < 2:
        return None, None, words.ONE_CLASS
    rows = stratified(left_out.support.labels, MAX_IMAGES)
    images = left_out.support[rows]
    columns = left_out.columns[rows]
    if too_few(columns.numpy()):
        return None, None, words.TOO_FEW

    def fresh() -> FewShotClassifier:
        return FewShotClassifier(snapshot.method, snapshot.logit_scale)

    predicted = left_out.predicted
    if len(rows) < len(left_out.support):
        fitted = fresh().fit(snapshot.classes, images, snapshot.tuning)
        predicted = fitted.left_out_probabilities().argmax(dim=1)
    right = predicted == columns
    votes = HeldOutVotes.of(fresh, snapshot.classes, images.labelled, right, rest=rest)
    curve = LearningCurve.of(votes)
    return (None, None, words.TOO_FEW) if curve is None else (curve, votes, "")


def _shown(curve: LearningCurve, shots: NDArray[Any]) -> LearningCurveOut:
    """The curve from one image a class to ``MORE`` beyond those at hand."""
    have = shots[shots > 0]
    now = float(np.exp(np.log(have).mean()))
    then = float(np.exp(np.log(have + MORE).mean()))
    grid = sorted({*np.geomspace(1, then, _CURVE_POINTS).tolist(), now})
    return LearningCurveOut(
        shots=now,
        measured=[
            MeasuredPoint(shots=at, accuracy=accuracy)
            for at, accuracy in zip(curve.shots.tolist(), curve.measured.tolist(), strict=True)
        ],
        expected=[ExpectedPoint(shots=at, **_out(curve.accuracy(at)).model_dump()) for at in grid],
        accuracy=_out(curve.accuracy(now)),
        gain=_out(curve.gain(have, have + MORE)),
    )


def _out(estimate: Estimate) -> EstimateOut:
    return EstimateOut(value=estimate.value, low=estimate.low, high=estimate.high)


def _needs(
    snapshot: Snapshot,
    left_out: LeaveOneOut,
    index: ImageIndex,
    gains: list[ClassGain | None],
    *,
    judged: bool,
) -> list[ClassNeed]:
    """Every class, the one that needs images most first."""
    labels = index.columns()
    gain_of = dict(zip(labels, gains, strict=True))
    votes = Counter(labels[column] for column in left_out.columns[left_out.judged].tolist())
    images = Counter(index.labels[record.class_id] for record in snapshot.images.values())
    needs = []
    for label in snapshot.records:
        gain = gain_of.get(label)
        need = ClassNeed(
            label=label,
            n_images=images[label],
            n_votes=votes[label],
            recall=None if gain is None else _out(gain.recall),
            gain=None if gain is None else _out(gain.gain),
            text="",
        )
        need.text = words.need_text(need, MORE, judged=judged)
        needs.append(need)
    return sorted(
        needs,
        key=lambda one: (
            one.gain is not None,
            one.n_images if one.gain is None else -one.gain.value,
        ),
    )


def _can_go(
    left_out: LeaveOneOut,
    index: ImageIndex,
    suspects: list[Suspect],
    copies: list[NearCopy],
    rest: Rest,
) -> list[SpareImage]:
    """Images that can go together: near copies, then those that others cover."""
    doubtful = {one.image_id for one in suspects}
    copied = [one for one in copies if not doubtful & {one.image_id, one.copy_of.image_id}]
    found = [_spare(one, "near copy", one.copy_of) for one in copied]
    listed = doubtful | {one.image_id for one in found}
    originals = {one.copy_of.image_id for one in copied}
    return found + _covered(left_out, index, listed, originals, rest)


def _covered(
    left_out: LeaveOneOut, index: ImageIndex, listed: set[str], originals: set[str], rest: Rest
) -> list[SpareImage]:
    """Images that others cover, of those not listed yet; originals of copies that go stay."""
    ids = left_out.support.ids
    names = [index.snapshot.images[i].public_id for i in ids.tolist()]
    rows = torch.tensor([i for i, name in enumerate(names) if name not in listed]).long()
    if len(rows) == 0:
        return []
    columns = left_out.columns[rows]
    own = _own(left_out, rows, columns)
    own[[names[row] in originals for row in rows.tolist()]] = 0
    spare = spare_images(left_out.support.labelled[rows], columns, own, rest=rest)
    return [
        _spare(index.image(image), "covered", index.similar(cover, similarity))
        for image, cover, similarity in zip(
            ids[rows[spare.rows]].tolist(),
            ids[rows[spare.covered_by]].tolist(),
            spare.similarity.tolist(),
            strict=True,
        )
    ]


def _own(left_out: LeaveOneOut, rows: Tensor, columns: Tensor) -> Tensor:
    """(m,) probability of the own class; 0 where another one is named."""
    probabilities = left_out.probabilities[rows]
    own = probabilities.gather(1, columns.unsqueeze(1)).squeeze(1)
    return torch.where(left_out.predicted[rows] == columns, own, 0.0)


def _spare(image: LookedUpImage, reason: Reason, similar: SimilarImage) -> SpareImage:
    known = image.model_dump(include=set(LookedUpImage.model_fields))
    return SpareImage(**known, reason=reason, similar=similar)
