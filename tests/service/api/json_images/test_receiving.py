"""References to images of other classifiers: as far as the key goes, and no word beyond."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from service.access.principal import SCOPE_KEY, Principal, Scope
from service.api.json_images.items import Reference
from service.api.json_images.receiving import fetched
from service.problems import InvalidName, NotAllowed


async def received(principal: Principal, *classifiers: str | None) -> int:
    items = [Reference("0" * 32, ("images", i), name) for i, name in enumerate(classifiers)]
    request = Request({"type": "http", "headers": [], SCOPE_KEY: principal})
    parts: Any = None  # none is asked: there are no URLs
    return len(await fetched(request, parts, items))


def run(principal: Principal, *classifiers: str | None) -> int:
    waiting = received(principal, *classifiers)
    with pytest.raises(StopIteration) as ended:
        waiting.send(None)
    found: int = ended.value.value
    return found


def test_whoever_may_read_a_classifier_may_name_its_images() -> None:
    assert run(Principal(), None, "a", "b") == 3
    assert run(Principal(classifiers=frozenset("ab")), None, "a", "b") == 3


def test_others_learn_nothing_of_it() -> None:  # whether there is one is not even looked at
    for principal, told in (
        (Principal(classifiers=frozenset("a")), "'b'"),
        (Principal(scopes=frozenset({Scope.PREDICT, Scope.WRITE})), "scope read"),
    ):
        with pytest.raises(NotAllowed) as refused:
            run(principal, None, "b")
        assert told in str(refused.value.detail)
        assert run(principal, None) == 1  # of the classifier in the path, which was checked
    for name in ("tenant/b", "../b", ""):
        with pytest.raises(InvalidName):
            run(Principal(), name)
