"""Several processes before an encoder process: one trace through both, and an end to all of it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator

import pytest

from tests.service.client import Classifier
from tests.service.pictures import picture
from tests.service.server import Server
from tests.service.telemetry.collector import Collector, Span, collecting

pytestmark = pytest.mark.long

PATIENCE = 60


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    with collecting() as both:
        yield both


@pytest.fixture(scope="module")
def several(
    collector: tuple[Collector, str], tmp_path_factory: pytest.TempPathFactory, vit: str
) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector[1])
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1000")
        started = Server.ready(
            tmp_path_factory.mktemp("several"), backbone=vit, processes=2, log_format="json"
        )
    with started as running:
        yield running


def asked(server: Server) -> tuple[str, str]:
    """Ask one query; the trace and the span that the client calls its own."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    with server.client() as http:
        made = Classifier(http, "ants")
        if made.put().status_code == 201:
            made.post("ant", picture(1)).raise_for_status()
        http.post(
            f"{made.url}/predict",
            content=picture(2),
            headers={"content-type": "image/png", "traceparent": f"00-{trace}-{span}-01"},
        ).raise_for_status()
    return trace, span


def test_one_trace_goes_through_the_encoder_process(
    several: Server, collector: tuple[Collector, str]
) -> None:
    spans, _ = collector
    trace, client = asked(several)

    def both(found: list[Span]) -> list[Span]:
        mine = [span for span in found if span.trace == trace]
        return mine if {"pass"} <= {one.name for one in mine} and _root(mine, client) else []

    found: list[Span] = spans.wait(both)
    [passed] = [span for span in found if span.name == "pass"]
    [encode] = [span for span in found if span.name == "encode"]
    assert passed.parent == encode.id
    # What other processes have changed is looked for while the query is encoded.
    [revision] = [span for span in found if span.name == "revision"]
    assert revision.attributes["db.system.name"] == "sqlite"
    assert encode.begin <= passed.begin <= passed.end <= encode.end
    assert passed.process["handful.process.role"] == "encoder"
    assert encode.process["handful.process.role"] == "service"
    assert passed.process["service.instance.id"] != encode.process["service.instance.id"]
    assert passed.process["process.pid"] != encode.process["process.pid"]


def test_a_collector_that_takes_nothing_costs_its_spans_and_one_line(
    several: Server, collector: tuple[Collector, str]
) -> None:
    spans, _ = collector
    said = "they are dropped until"
    spans.refusing = True
    try:
        for _ in range(3):
            lost, _ = asked(several)
            time.sleep(1.2)
        _until_said(several, said)
    finally:
        spans.refusing = False
    with several.client() as http:
        assert 'handful_spans_total{outcome="lost"}' in http.get("/metrics").text
    end = time.monotonic() + PATIENCE
    while "takes traces again" not in several.log.read_text():
        assert time.monotonic() < end
        asked(several)
    lines = [json.loads(line) for line in several.log.read_text().splitlines()]
    # Each process once, whichever of the three were asked.
    assert 1 <= sum(said in line["message"] for line in lines) <= 3
    assert not spans.of_trace(lost)


def test_what_was_told_last_arrives_before_the_end(
    several: Server, collector: tuple[Collector, str]
) -> None:
    spans, _ = collector
    trace, client = asked(several)
    assert several.stop() == 0
    assert _root(spans.of_trace(trace), client)
    lines = [json.loads(line) for line in several.log.read_text().splitlines()]
    assert not [line for line in lines if line["level"] in ("ERROR", "CRITICAL")]


def _root(spans: list[Span], client: str) -> list[Span]:
    return [span for span in spans if span.parent == client]


def _until_said(server: Server, text: str) -> None:
    end = time.monotonic() + PATIENCE
    while text not in server.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.1)
