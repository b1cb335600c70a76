"""What suits generic images that show several things: the prior of tuning, and the default."""

from __future__ import annotations

from dataclasses import dataclass, fields

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
        softmax: Slope of what a softmax says, and its own; zeros where it is not asked.
    """

    names: tuple[float, float]
    images: tuple[float, float]
    offset: tuple[float, float]
    softmax: tuple[float, float] = (0.0, 0.0)

    @property
    def prior(self) -> LogisticPrior:
        """The same as a prior, of the terms that count."""
        parts = [self.names, self.images, self.softmax, self.offset]
        means, deviations = zip(*(part for part in parts if part[1]), strict=True)
        return LogisticPrior(means, deviations, OF_CLASSES)

    def towards(self, other: Expected, share: float) -> Expected:
        """This one for the most part, and a share of the other."""
        names = [field.name for field in fields(self) if field.name != "shots"]
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        between = {
            name: tuple(a + share * (b - a) for a, b in zip(*pair, strict=True))
            for name, pair in pairs.items()
        }
        return Expected(self.shots, **between)


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
#: Where images have one label each, at any number of them (the same command).
OF_SINGLES = Expected(1, (0.265, 0.10), (0.82, 0.30), (-0.15, 0.50), (0.37, 0.10))
#: Of a class without images: its name is all there is.
BY_NAME = Expected(0, (0.56, 0.1), (0.0, 0.1), (-0.3, 0.5))
#: Probability from which on a label is given where there are no votes to set a threshold by.
THRESHOLD = 0.25


def expected_at(shots: float, alone: float = 0.0) -> Expected:
    """Expected slopes, between those that were measured.

    Args:
        shots: Mean number of images a class.
        alone: Share of labels that are the only one of their image. Of mosaics that are like
            queries it is a fifth: up to a half of them a softmax is not asked.
    """
    expected = interpolated(EXPECTED, shots)
    share = 2 * alone - 1
    return expected if share <= 0 else expected.towards(OF_SINGLES, share)
