"""A request that was carried out before, under the same ``Idempotency-Key``."""

from __future__ import annotations

from fastapi import Response


class Replayed(Exception):
    """It was; raised in its stead.

    Attributes:
        answer: Its answer.
    """

    def __init__(self, answer: Response) -> None:
        super().__init__("carried out before")
        self.answer = answer
