"""The check of precisions beside a service that has started on the verdict of the package."""

from __future__ import annotations

import logging
import threading
from typing import Self

from adapters.recipe import Precision
from service.encoder import asked_recipe, rounds
from service.precision.verdict import own_verdict
from service.precision_check.process import start_check
from service.settings import Settings

logger = logging.getLogger("handful")


class BackgroundCheck:
    """Checks precisions in an idle process, and says what came of it.

    Args:
        settings: Of the service.
        model: Fingerprint of its model.
        used: The precision that new databases have had until now.
    """

    def __init__(self, settings: Settings, model: str, used: Precision) -> None:
        self._settings, self._model, self._used = settings, model, used
        self._closed = False
        self._process = start_check(settings, model, beside=True)
        threading.Thread(target=self._wait, name="precision check", daemon=True).start()

    @classmethod
    def if_needed(cls, settings: Settings, model: str) -> Self | None:
        """Begin one, if the settings leave the choice to it and it was not made here before.

        Args:
            settings: Of the service.
            model: Fingerprint of its model.
        """
        if settings.precision != "auto" or not rounds(settings):
            return None
        if own_verdict(model, settings.cache_dir) is not None:
            return None
        return cls(settings, model, asked_recipe(settings)(model).precision)

    def close(self) -> None:
        """End it; it begins anew at the next start."""
        self._closed = True
        self._process.kill()

    def _wait(self) -> None:
        _, errors = self._process.communicate()
        if self._closed:
            return
        verdict = own_verdict(self._model, self._settings.cache_dir)
        if verdict is None:
            if self._process.returncode:
                told = errors.strip().splitlines()[-1:] or ["killed"]
                logger.warning("precisions could not be measured on this machine: %s", *told)
            return
        best = verdict.precision()
        if best == self._used:
            logger.info("on this machine, too, %s is the best precision: %s", best, verdict)
        else:
            logger.warning(
                "on this machine %s is the best precision, and not %s as told by the package: %s."
                " New databases get it from the next start on; this one stays as it is until:"
                " handful re-embed --precision %s",
                best,
                self._used,
                verdict,
                best,
            )
