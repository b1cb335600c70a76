"""Advice in plain words."""

from __future__ import annotations

from adapters.class_gains import LEAST_CLASS_VOTES
from adapters.learning_curve import LEAST_SHOTS, LEAST_VOTES
from service.presentation.wording import percent, quantity
from service.reports.advice_schemas import ClassNeed, EstimateOut, LearningCurveOut, Verdict

# A gain that is not worth the work, in accuracy.
_LITTLE = 0.01

TOO_FEW = (
    f"There are too few images to tell: this takes about {LEAST_SHOTS:.0f} different images a class"
    f" and {LEAST_VOTES} in all. Register more."
)
ONE_CLASS = "With fewer than two classes that have images there is nothing to tell apart."
NAMES_ALONE = (
    "The method zero-shot answers by the names of the classes: images change nothing. Choose"
    " another method, such as auto."
)


def verdict_on(gain: EstimateOut) -> Verdict:
    """Whether there are images enough, by what more of them are worth."""
    if gain.high < _LITTLE:
        return "enough"
    return "nearly enough" if gain.value < _LITTLE else "not enough"


def verdict_text(verdict: Verdict, curve: LearningCurveOut, more: int) -> str:
    """The verdict on a learning curve, in a sentence or two."""
    worth = f"{more} more images a class are worth about {points(curve.gain)}"
    now = f"Expect {percent(curve.accuracy.value)} of new images like these to be named rightly"
    if verdict == "enough":
        return f"Enough. {now}; {worth}."
    if verdict == "nearly enough":
        return f"Nearly enough. {now}; {worth}."
    return f"Not yet enough. {now}; {worth}."


def points(gain: EstimateOut) -> str:
    """A gain with its interval: ``2 points (0 to 4)``."""
    value = _points(gain.value)
    unit = "point" if value == "1" else "points"
    return f"{value} {unit} ({_points(gain.low)} to {_points(gain.high)})"


def _points(share: float) -> str:
    hundredths = 100 * share
    text = f"{hundredths:.0f}" if abs(hundredths) >= 0.95 else f"{hundredths:.1f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def need_text(need: ClassNeed, more: int, *, judged: bool) -> str:
    """What more images of a class are worth, in a sentence.

    Args:
        need: The class, but for its text.
        more: Images to add.
        judged: Whether there is a learning curve.
    """
    if need.n_images == 0:
        return "It has no images and is known by its name at most."
    if need.gain is not None and need.recall is not None:
        return (
            f"{more} more images of it are worth about {points(need.gain)} of its accuracy, now"
            f" about {percent(need.recall.value)}."
        )
    if need.n_votes < LEAST_CLASS_VOTES:
        have = quantity(need.n_images, "image")
        few = "" if need.n_votes == need.n_images else ", of which too few differ"
        return f"It has {have}{few}; with {LEAST_CLASS_VOTES} different ones it can be judged."
    if not judged:
        return "The classifier as a whole has too few images to tell."
    return "Too few of its images were looked at to tell."
