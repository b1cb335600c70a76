"""Parsers of hostile bytes: their seeds, thousands of mutants, and what fuzzing has found."""

from __future__ import annotations

import json
import random

import pytest

from service.images.containers import png
from service.images.containers.cleaned import Cleaned
from service.integrations.label_studio import events
from service.problems import InternalError
from tests.campaigns.coverage_guided.targets import TARGETS, Defect, refusing
from tests.campaigns.requests.foreign import webhook
from tests.campaigns.requests.json_text import mutated
from tests.campaigns.uploads import mutated as with_other_bytes

MUTANTS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_parsed_and_mutants_are_parsed_or_refused(name: str) -> None:
    target, draw = TARGETS[name], random.Random(name)
    seeds = target.seeds()
    assert any(target.parse(one) is not None for one in seeds)
    for _ in range(MUTANTS):
        seed = draw.choice(seeds)
        if target.is_json:
            target.parse(mutated(json.loads(seed), draw))
        target.parse(with_other_bytes(draw, seed, list(range(0, len(seed), 7))))


@pytest.mark.parametrize("error", [KeyError("a"), RecursionError(), InternalError()])
def test_errors_that_are_no_refusals_are_found(error: Exception) -> None:
    def parse(_: bytes) -> object:
        raise error

    with pytest.raises(type(error)):
        refusing(parse)(b"")


@pytest.mark.parametrize("wrong", [Cleaned(bytes(10_000)), Cleaned(b"", orientation=9)])
def test_a_container_that_makes_more_of_a_picture_is_found(
    monkeypatch: pytest.MonkeyPatch, wrong: Cleaned
) -> None:
    monkeypatch.setattr(png, "clean", lambda _: wrong)
    with pytest.raises(Defect):
        TARGETS["png"].parse(b"")


@pytest.mark.parametrize("identifier", [[], {}, [1], "1", True, None, 1.5, -1])
def test_a_task_whose_id_is_none_is_a_task_without_one(identifier: object) -> None:
    told = webhook(random.Random(0)) | {"action": "ANNOTATION_CREATED"}
    told["task"] = {"id": identifier, "data": {"image": "/data/upload/1/a.png"}}
    told["annotation"] = {"id": 1, "updated_at": "2026-01-01T12:00:00Z", "result": []}
    [event] = events.events_of(told)
    assert event.task is None


FOUND = {
    "a directory of a TIFF beyond all files": ("tiff", b"II+\0\x08\0\0\0" + b"\xff" * 8),
}
"""Inputs that fuzzing has found, each of which ended with an error that was no refusal."""


@pytest.mark.parametrize("what", FOUND)
def test_what_fuzzing_has_found_is_parsed_or_refused(what: str) -> None:
    name, data = FOUND[what]
    TARGETS[name].parse(data)
