"""Answers that a thread gives to whoever waits for them in the event loop."""

from __future__ import annotations

import asyncio
from typing import Any


def is_given(answer: asyncio.Future[Any]) -> bool:
    """Whether an answer has been given, for whoever stops waiting for it.

    One that is an error counts as heard then: it may have been given in the very turn of the loop
    in which its request ended for another reason, and asyncio would log it as never retrieved.
    """
    if not answer.done():
        return False
    if not answer.cancelled():
        answer.exception()
    return True
