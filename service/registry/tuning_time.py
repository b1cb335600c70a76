"""When a change is tuned: before it is written, or afterwards in the background."""

from __future__ import annotations

# Images whose tuning takes some milliseconds, with any head.
_CHEAP = 64
# A change that adds one image to so many is bulk.
_BULK = 8


def tuned_at_once(*, before: int, added: int, removed: int, settings: bool) -> bool:
    """Whether a change is tuned before it is written.

    It is where that is cheap; where settings change, because hyperparameters of other settings say
    nothing; and in bulk, where the change itself costs as much. The cost of tuning at once stays in
    proportion to what is added, however a support set grows. Anything else keeps the tuning that
    there is, which hardly differs, until the background tuner has found the next.

    Args:
        before: Images of the support set before the change.
        added: Images that the change adds.
        removed: Images that it removes.
        settings: Whether it has settings.
    """
    return settings or before + added - removed <= _CHEAP or added * _BULK >= before
