"""What peers cost at most who send messages of their own accord: webhooks, and a broker's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi_problem.error import StatusProblem

from service.bridges.frigate.incoming import MOST_BYTES
from service.bridges.frigate.tracked_objects import read_event
from service.integrations.label_studio.events import events_of
from service.integrations.label_studio.labelling_config import ConfigError, control_of
from tests.service.client import problem
from tests.service.server import Server

MIB = 2**20
# Seconds of a processor, on machines that are slow.
A_TENTH, A_SECOND = 0.25, 1.0
CONTROL = '<Image name="i" value="$x"/><Choices name="c" toName="i">'

CONFIGURATIONS = {
    "deep": "<a>" * (MIB // 3),
    "deep and whole": "<a>" * (MIB // 7) + "</a>" * (MIB // 7),
    "attributes": "<a " + " ".join(f'b{one}=""' for one in range(MIB // 10)) + "/>",
    "images": "<a>" + '<Image name="i" value="$x"/>' * (MIB // 30) + "</a>",
    "text": "<a>" + "&amp;" * (MIB // 6) + "</a>",
    "choices": f"<a>{CONTROL}" + '<Choice value="a"/>' * 40_000 + "</Choices></a>",
}
MESSAGES = {
    "deep": b"[" * MOST_BYTES,
    "wide": b'{"type":"new","after":{' + b'"a":1,' * (MOST_BYTES // 7) + b'"b":1}}',
    "a long name": b'{"type":"new","after":{"sub_label":[' + b"1," * (MOST_BYTES // 3) + b"1]}}",
    "digits": b'{"type":"new","after":{"id":' + b"9" * (MOST_BYTES - 40) + b"}}",
}


def seconds(parse: Callable[[], object]) -> float:
    """Of a processor, until it is refused or parsed."""
    begun = time.process_time()
    with suppress(ConfigError, StatusProblem, ValueError):
        parse()
    return time.process_time() - begun


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_labelling_configuration_holds_nobody_up(kind: str) -> None:
    assert seconds(lambda: control_of.__wrapped__(CONFIGURATIONS[kind])) < A_TENTH


def test_a_labelling_configuration_may_have_as_many_choices_as_a_classifier() -> None:
    choices = "".join(f'<Choice value="{one}" alias="x{one}"/>' for one in range(9_900))
    offered = control_of(f"<View>{CONTROL}{choices}</Choices></View>").offered
    assert offered is not None
    assert len(offered) == 9_900


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_of_a_broker_is_refused_soon(kind: str) -> None:
    assert len(MESSAGES[kind]) <= MOST_BYTES
    assert seconds(lambda: read_event(MESSAGES[kind])) < A_TENTH


def test_a_webhook_is_about_a_thousand_annotations_at_most(tmp_path: Path, vit: str) -> None:
    with (
        Server.ready(tmp_path, backbone=vit, integrations="label-studio") as server,
        server.client() as http,
    ):
        assert http.put("/v1/classifiers/a").status_code == 201
        told = {"action": "TASKS_DELETED", "project": {"id": 1}}
        for count, status in ((1000, 200), (1001, 413)):
            tasks = [{"id": one} for one in range(1, count + 1)]
            answer = http.post("/label-studio/a/webhook", json=told | {"tasks": tasks})
            assert answer.status_code == status, answer.text
        problem(answer, 413, "request-too-large", "at most 1000 are accepted")


def test_the_longest_webhook_takes_a_second_at_most() -> None:
    annotation = {"id": 1, "task": 1, "updated_at": "2026-01-01", "result": [{"type": "choices"}]}
    told: dict[str, Any] = {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "task": {"id": 1}}
    told["annotation"] = [annotation] * (MIB // len(json.dumps(annotation)))
    assert seconds(lambda: events_of(told)) < A_SECOND
