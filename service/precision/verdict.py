"""The verdict on precisions: what was measured of a model on a machine, kept as JSON."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from adapters.engines.precisions import computed_in, instructions
from adapters.recipe import Precision
from adapters.whole_files import written_whole

logger = logging.getLogger("handful")

TOLERANCE = 0.3
"""Points of few-shot accuracy that a quicker precision may be below float32."""
_FORMAT = 1
_PACKAGES = ("openvino", "torch", "nncf")
# Precisions that the tasks judge rightly. They are too kind to int8: on photos it gains less.
_JUDGED: tuple[Precision, ...] = ("float32", "bfloat16")
# A precision that is hardly quicker is not worth embeddings that differ.
_LEAST_GAIN = 1.1


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a precision.

    Attributes:
        accuracy: Few-shot accuracy on the shipped tasks, in %.
        points: That less that of float32, in points.
        error: Standard error of this difference.
        speed: Pictures a second, in ratio to float32 in the same run.
    """

    accuracy: float
    points: float
    error: float
    speed: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was measured of a model's precisions on a machine.

    Attributes:
        measured: By precision.
        instructions: Of the processor.
        versions: Of the packages that compute.
        when: ISO date.
        seconds: That it took.
    """

    measured: dict[Precision, Measured]
    instructions: str
    versions: dict[str, str]
    when: str
    seconds: float

    def precision(self) -> Precision:
        """The quickest that may be used here: one that keeps few-shot accuracy, or float32.

        Never int8, which whoever wants it asks for.
        """
        worth = {
            precision: one.speed
            for precision, one in self.measured.items()
            if precision in _JUDGED
            and one.points >= -TOLERANCE
            and one.speed >= _LEAST_GAIN
            and computed_in(precision) == precision
        }
        return max(worth, key=lambda one: worth[one], default="float32")

    def __str__(self) -> str:
        parts = [
            f"{precision} is {one.speed:.2f} times as quick as float32, with"
            f" {one.points:+.2f} ± {one.error:.2f} points of few-shot accuracy"
            for precision, one in self.measured.items()
            if precision != "float32"
        ]
        return "; ".join(parts) or "float32 alone can be computed here"


def own_verdict(model: str, cache: Path) -> Verdict | None:
    """What was measured of a model on this machine with these versions, if it was.

    Args:
        model: Its fingerprint.
        cache: ``HANDFUL_CACHE_DIR``.
    """
    return _read(own_path(model, cache))


def shipped_verdict(model: str) -> Verdict | None:
    """What comes with the package, of its own model on a machine like this one, if it does.

    Args:
        model: Its fingerprint.
    """
    try:
        records = json.loads((files(__package__) / "shipped.json").read_text("utf-8"))
        found = [_parsed(one) for one in records.get(model, ())]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    here = set(instructions().split())
    # One with the same instructions, or else one with the most of them.
    fitting = [one for one in found if set(one.instructions.split()) <= here]
    return max(fitting, key=lambda one: len(one.instructions.split()), default=None)


def write_verdict(verdict: Verdict, model: str, cache: Path) -> None:
    """Keep a verdict for this machine.

    Raises:
        OSError: It cannot be written.
    """
    path = own_path(model, cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        part.write_text(json.dumps(asdict(verdict), indent=1) + "\n", "utf-8")


def own_path(model: str, cache: Path) -> Path:
    """Where the verdict on a model is kept, by all that it holds for."""
    holds_for = json.dumps([_FORMAT, model, instructions(), versions()], sort_keys=True)
    return cache / "precision" / f"{hashlib.sha256(holds_for.encode()).hexdigest()[:32]}.json"


def versions() -> dict[str, str]:
    """Versions of the packages that compute; those that are not installed are left out."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _read(path: Path) -> Verdict | None:
    try:
        return _parsed(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("the verdict on precisions in %s is measured anew: %s", path, error)
        return None


def _parsed(record: dict[str, Any]) -> Verdict:
    measured = {
        precision: Measured(**record["measured"][precision])
        for precision in get_args(Precision)
        if precision in record["measured"]
    }
    return Verdict(**{**record, "measured": measured})
