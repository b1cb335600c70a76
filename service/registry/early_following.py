"""Early following: a classifier in memory takes over what others change before the next query."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Thread

from fastapi_problem.error import StatusProblem

from service.storage.errors import Outdated

logger = logging.getLogger("handful")


class EarlyFollowing:
    """A daemon thread that brings classifiers up to date which others were heard to have changed.

    The query that comes next finds it done. It asks for the latest revision all the same: a
    notification comes after the change was acknowledged, if at all.

    Args:
        follow: Brings a classifier up to date, by its name; may raise what reading it does.
    """

    def __init__(self, follow: Callable[[str], None]) -> None:
        self._follow = follow
        self._changed: dict[str, None] = {}  # in their order, each once
        self._condition = Condition()
        self._ends = False
        self._thread = Thread(target=self._run, name="following", daemon=True)
        self._thread.start()

    def heard(self, name: str) -> None:
        """Others have changed a classifier; costs microseconds."""
        with self._condition:
            self._changed[name] = None
            self._condition.notify()

    def close(self) -> None:
        """Stop."""
        with self._condition:
            self._ends = True
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while (name := self._next()) is not None:
            try:
                self._follow(name)
            except (StatusProblem, Outdated):
                pass  # whoever asks is told
            except Exception:
                logger.exception("classifier %r could not be followed early", name)

    def _next(self) -> str | None:
        with self._condition:
            self._condition.wait_for(lambda: self._ends or self._changed)
            if self._ends:
                return None
            name = next(iter(self._changed))
            del self._changed[name]
            return name
