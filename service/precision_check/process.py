"""A process that checks precisions; what it has in memory ends with it."""

from __future__ import annotations

import logging
import subprocess
import sys
from time import perf_counter

from adapters.recipe import Precision
from service.precision.verdict import own_verdict
from service.settings import Settings

logger = logging.getLogger("handful")


def start_check(settings: Settings, model: str, *, beside: bool) -> subprocess.Popen[str]:
    """Start it.

    Args:
        settings: Of the backbone, which is loaded there.
        model: Its fingerprint.
        beside: Whether it computes only what nobody else wants to compute.
    """
    command = [sys.executable, "-P", "-m", "service.precision_check", model]
    process = subprocess.Popen(  # noqa: S603 - this program
        [*command, *(["--beside"] if beside else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if process.stdin is not None:
        process.stdin.write(settings.model_dump_json())
        process.stdin.close()
        process.stdin = None
    return process


def first_precision(settings: Settings, model: str) -> Precision:
    """The quickest precision that keeps few-shot accuracy, measured now; blocks.

    Takes tens of seconds, minutes for a large model, once for each machine and model. Where it
    cannot be measured, a warning says why, and float32 is taken.

    Args:
        settings: Of the backbone.
        model: Its fingerprint.
    """
    started = perf_counter()
    logger.info(
        "measuring which precision keeps the few-shot accuracy of %s, once on this machine;"
        " HANDFUL_PRECISION=float32 does without",
        settings.backbone,
    )
    process = start_check(settings, model, beside=False)
    _, errors = process.communicate()
    verdict = own_verdict(model, settings.cache_dir)
    if verdict is None:
        told = errors.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        logger.warning("precisions could not be measured, so float32 is taken: %s", *told)
        return "float32"
    logger.info("measured in %.0f s: %s", perf_counter() - started, verdict)
    return verdict.precision()
