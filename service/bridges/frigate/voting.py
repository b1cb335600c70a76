"""Voting: a sub label is what enough attempts at an object agree on.

As Frigate's own object classification has it (``custom_classification.py`` of its
``data_processing/real_time``): at least three attempts, of all of which 60 % give the same answer;
its score is the mean of theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

MOST_ATTEMPTS = 16
"""After so many an object is left alone, as Frigate does."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A class, and its probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class VotingRule:
    """When attempts agree.

    Attributes:
        attempts: At least.
        agreement: Share of them that give the same answer, at least.
    """

    attempts: int = 3
    agreement: float = 0.6

    def agreed(self, answers: Sequence[Answer | None]) -> Answer | None:
        """What attempts agree on, with the mean of their probabilities; None: on nothing.

        Args:
            answers: Of all attempts at an object; None is that of an image that looks like no
                class. These count as attempts, so that a stranger is not named by the one picture
                of three that resembles somebody.
        """
        if len(answers) < self.attempts:
            return None
        ranked = Counter(one.label for one in answers if one is not None).most_common(2)
        if not ranked or ranked[0][1] / len(answers) < self.agreement:
            return None
        if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:  # with an agreement of a half or less
            return None
        label = ranked[0][0]
        return Answer(
            label,
            fmean(one.probability for one in answers if one is not None and one.label == label),
        )
