"""Judgement of an answer: which a hostile request may get, and which nobody."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote_to_bytes

from tests.campaigns.requests.answers import Answer
from tests.campaigns.requests.request import Request

UNAVAILABLE = frozenset({503, 504, 507})
"""Statuses from 500 on that say that it is not the request's fault, and may be given."""
_ID = re.compile(rb'"id": ?"([0-9a-f-]{32,36})"')


def fault_of(answer: Answer, request: Request | None = None) -> str | None:
    """What is wrong with an answer; None: nothing.

    Args:
        answer: Whole.
        request: That it is to; None: that cannot be told.
    """
    if answer.status >= 500 and answer.status not in UNAVAILABLE:
        return f"answered with {answer.status}: {answer.body[:300]!r}"
    if answer.status < 400 or request is None or request.method == b"HEAD":
        return None
    if not answer.media_type and b"/mcp" in unquote_to_bytes(request.path):
        return None  # of the protocol's own library
    if not answer.media_type.endswith("json"):
        return f"{answer.status} is of {answer.media_type!r} and no document: {answer.body[:300]!r}"
    try:
        json.loads(answer.body)
    except ValueError:
        return f"{answer.status} with a document that is no JSON: {answer.body[:300]!r}"
    return None


def ids_in(answer: Answer) -> list[str]:
    """Ids of images, jobs and the like that an answer names, the last few."""
    if answer.status >= 300 or not answer.media_type.endswith("json"):
        return []
    return [one.decode() for one in _ID.findall(answer.body)[-4:]]
