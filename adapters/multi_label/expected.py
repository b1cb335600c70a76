"""What suits generic images that show several things: the prior of tuning, and the default."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.multi_label.calibration import LogisticPrior
from adapters.tuning.at_shots import AtShots, interpolated


@dataclass(frozen=True, slots=True)
class Expected(AtShots):
    """Of so many images a class.

    Attributes:
        shots: Images a class.
        names: Slope of the term of the names, and its standard deviation among tasks.
        images: Slope of the term of the images, and its own.
        offset: The common offset, and its own.
    """

    names: tuple[float, float]
    images: tuple[float, float]
    offset: tuple[float, float]

    @property
    def prior(self) -> LogisticPrior:
        """The same as a prior."""
        means, deviations = zip(self.names, self.images, self.offset, strict=True)
        return LogisticPrior(means, deviations, OF_CLASSES)


#: Standard deviation of the offsets of classes around the common one.
OF_CLASSES = 0.45
# Median and standard deviation over tasks of mosaics of the slopes that are best with hindsight
# (python -m benchmarks.multi_label GENERIC --hindsight).
EXPECTED = (
    Expected(1, (0.475, 0.08), (0.75, 0.25), (-0.54, 0.50)),
    Expected(2, (0.435, 0.11), (0.78, 0.30), (-0.83, 0.40)),
    Expected(4, (0.405, 0.11), (1.02, 0.38), (-1.00, 0.45)),
    Expected(8, (0.370, 0.10), (1.19, 0.45), (-1.08, 0.50)),
    Expected(16, (0.335, 0.10), (1.32, 0.55), (-1.30, 0.75)),
)
#: Of a class without images: its name is all there is.
BY_NAME = Expected(0, (0.56, 0.1), (0.0, 0.1), (-0.3, 0.5))
#: Probability from which on a label is given where there are no votes to set a threshold by.
THRESHOLD = 0.25


def expected_at(shots: float) -> Expected:
    """Expected slopes at a mean number of images a class, between those that were measured."""
    return interpolated(EXPECTED, shots)
