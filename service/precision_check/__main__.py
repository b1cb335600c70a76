"""What that process does: ``python -m service.precision_check``, the settings on standard input."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from filelock import FileLock, Timeout

from adapters.backbones import Backbone
from adapters.recipe import Precision, Recipe
from service.encoder import load_encoder
from service.precision.check import check
from service.precision.verdict import own_path, own_verdict, write_verdict
from service.settings import Settings


def main() -> None:
    """Measure the precisions of the backbone that the settings name, and keep the verdict."""
    model, beside = sys.argv[1], sys.argv[2:] == ["--beside"]
    logging.getLogger("handful").setLevel(logging.ERROR)
    settings = Settings.model_validate_json(sys.stdin.read())
    if beside:
        _only_when_idle()
    lock = own_path(model, settings.cache_dir).with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with suppress(Timeout), FileLock(lock, timeout=0 if beside else -1):
        if own_verdict(model, settings.cache_dir) is None:

            def load(precision: Precision) -> Backbone:
                return load_encoder(settings, Recipe(precision))

            write_verdict(check(load), model, settings.cache_dir)


def _only_when_idle() -> None:
    """Compute when nobody else wants to."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


if __name__ == "__main__":
    main()
