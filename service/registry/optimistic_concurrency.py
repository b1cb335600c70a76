"""Optimistic concurrency: a change is made again if another process was quicker.

Kung and Robinson, On optimistic methods for concurrency control, ACM TODS 6(2), 1981: a change is
prepared without a lock on the database, checked when it is written
(:func:`service.storage.statements.next_revision`), and begun again where that fails.
"""

from __future__ import annotations

from typing import NoReturn

from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random,
)

from service.problems import ChangedMeanwhile
from service.storage.errors import Outdated

# Each failure is the success of somebody else's change of the same classifier.
_ATTEMPTS = 30
# Seconds at most before the next one: who lost has more to do than who won, and is not to lose
# again for it.
_PAUSE = 0.1


def _give_up(_: RetryCallState) -> NoReturn:
    raise ChangedMeanwhile(
        f"Others changed the classifier {_ATTEMPTS} times while this change was prepared; nothing "
        "of it was done. Send it again, with more images in one request.",
        headers={"retry-after": "5"},
    )


retried_if_outdated = retry(
    retry=retry_if_exception_type(Outdated),
    stop=stop_after_attempt(_ATTEMPTS),
    wait=wait_random(0, _PAUSE),
    retry_error_callback=_give_up,
)
"""Decorates a change that begins by looking at the latest state and raises ``Outdated``."""
