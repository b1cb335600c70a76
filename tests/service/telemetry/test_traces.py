"""Traces as a collector gets them, from real services."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, files
from tests.service.pictures import picture, zipped
from tests.service.server import Server
from tests.service.telemetry.collector import Collector, Span, collecting

TRACE = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_RESOURCE_ATTRIBUTES": "deployment.name=lab"}


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    with collecting() as both:
        yield both


@pytest.fixture(scope="module")
def traced(
    collector: tuple[Collector, str], tmp_path_factory: pytest.TempPathFactory, vit: str
) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector[1])
        for name, value in TRACE.items():
            patch.setenv(name, value)
        started = Server.ready(
            tmp_path_factory.mktemp("traced"), backbone=vit, log_format="json", access_log=True
        )
    with started as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def http(traced: Server) -> Iterator[httpx.Client]:
    with traced.client() as client:
        yield client


@pytest.fixture
def spans(collector: tuple[Collector, str]) -> Collector:
    return collector[0]


@pytest.fixture
def ants(http: httpx.Client) -> Classifier:
    made = Classifier(http, f"c{secrets.token_hex(4)}")
    made.put().raise_for_status()
    made.post("ant", picture(1), picture(2)).raise_for_status()
    return made


def begun() -> tuple[str, str, dict[str, str]]:
    """A trace and a span of a client, and the header field that tells of it."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, {"traceparent": f"00-{trace}-{span}-01"}


def whole(collector: Collector, trace: str, parent: str) -> list[Span]:
    """Spans of a trace once the one is there that goes on with the client's."""

    def ended(spans: list[Span]) -> list[Span]:
        mine = [span for span in spans if span.trace == trace]
        return mine if any(span.parent == parent for span in mine) else []

    found: list[Span] = collector.wait(ended)
    return found


def named(spans: list[Span], name: str) -> Span:
    [found] = [span for span in spans if span.name == name]
    return found


@pytest.mark.parametrize(
    "field", [{}, {"origin": "http://127.0.0.1"}], ids=["direct", "documented"]
)
def test_a_query_is_traced_from_its_head_to_its_answer(
    http: httpx.Client, ants: Classifier, spans: Collector, field: dict[str, str]
) -> None:
    trace, parent, header = begun()
    if field:  # what only the documented way looks at
        field = {"origin": str(http.base_url).rstrip("/")}
    answer = http.post(
        f"{ants.url}/predict?top_k=3",
        content=picture(1),
        headers=header | field | {"content-type": "image/png", "user-agent": "test"},
    )
    assert answer.status_code == 200
    found = whole(spans, trace, parent)
    root = named(found, "POST /v1/classifiers/{name}/predict")
    assert root.kind == "SERVER"
    assert not root.failed
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/classifiers/{name}/predict",
        "http.response.status_code": 200,
        "url.path": f"{ants.url}/predict",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "user_agent.original": "test",
    }
    parts = [span for span in found if span is not root]
    assert all(span.parent == root.id for span in parts)
    assert sorted(span.name for span in parts) == [
        *("classify", "decode", "encode", "queue", "queue", "receive"),
    ]
    assert named(parts, "receive").attributes == {"http.request.body.size": len(picture(1))}
    assert named(parts, "encode").attributes == {"handful.batch.size": 1, "handful.batch.own": 1}
    for span in parts:
        assert root.begin <= span.begin <= span.end <= root.end
    # One after the other.
    at = root.begin
    for span in sorted(parts, key=lambda span: span.begin):
        assert span.begin >= at - 1_000_000
        at = span.end
    assert root.process["service.name"] == "handful"
    assert root.process["deployment.name"] == "lab"
    assert root.process["handful.process.role"] == "service"
    assert len(str(root.process["service.instance.id"])) == 36


def test_the_parts_of_a_query_are_most_of_it(ants: Classifier, spans: Collector) -> None:
    """Of that of some which waited least for processors; between parts it may wait for long."""
    shares = []
    for _ in range(8):
        trace, parent, header = begun()
        ants.http.post(
            f"{ants.url}/predict",
            content=picture(1),
            headers=header | {"content-type": "image/png"},
        ).raise_for_status()
        found = whole(spans, trace, parent)
        root = named(found, "POST /v1/classifiers/{name}/predict")
        parts = sum(span.milliseconds for span in found if span is not root)
        shares.append(parts / root.milliseconds)
    assert max(shares) > 0.5, shares


def test_a_change_tells_of_its_statements_but_not_of_what_they_hold(
    http: httpx.Client, ants: Classifier, spans: Collector
) -> None:
    trace, parent, header = begun()
    url = f"{ants.class_url('a secret ant')}/images?note=hidden"
    http.post(url, files=files(picture(3)), headers=header).raise_for_status()
    found = whole(spans, trace, parent)
    root = named(found, "POST /v1/classifiers/{name}/classes/{label}/images")
    texts = named(found, "embed texts")  # of the new label
    assert texts.parent == root.id
    assert texts.attributes["handful.texts"] >= 1
    writes = {span.id: span for span in found if span.name == "write"}
    assert {span.parent for span in writes.values()} <= {root.id, texts.id}
    statements = [span for span in found if span.parent in writes]
    assert {"BEGIN", "INSERT", "UPDATE"} <= {span.name for span in statements}
    for span in statements:
        assert span.kind == "CLIENT"
        assert span.attributes == {"db.system.name": "sqlite", "db.operation.name": span.name}
        write = writes[span.parent]
        assert write.begin <= span.begin <= span.end <= write.end
    assert "hidden" not in repr(found)
    assert [span for span in found if "secret" in repr(span)] == [root]  # as url.path


def test_images_that_cannot_be_decoded_are_told_without_their_content(
    http: httpx.Client, ants: Classifier, spans: Collector
) -> None:
    trace, parent, header = begun()
    sent = {"content-type": "image/png"} | header
    assert http.post(f"{ants.url}/predict", content=b"no image", headers=sent).status_code == 422
    found = whole(spans, trace, parent)
    decode = named(found, "decode")
    assert decode.failed
    assert decode.attributes == {"error.type": "NotAnImage"}
    root = named(found, "POST /v1/classifiers/{name}/predict")
    assert not root.failed  # it is the client's
    assert root.attributes["http.response.status_code"] == 422


def test_a_path_that_there_is_not_makes_no_name_of_a_span(
    http: httpx.Client, spans: Collector
) -> None:
    trace, parent, header = begun()
    assert http.request("PROPFIND", "/v1/x/y", headers=header).status_code in (404, 405)
    [span] = [one for one in whole(spans, trace, parent) if one.parent == parent]
    assert span.name == "_OTHER none"
    assert span.attributes["http.request.method"] == "_OTHER"


def test_what_a_caller_does_not_sample_is_not_traced(
    http: httpx.Client, ants: Classifier, spans: Collector
) -> None:
    unsampled, parent, _ = begun()
    header = {"traceparent": f"00-{unsampled}-{parent}-00", "content-type": "image/png"}
    http.post(f"{ants.url}/predict", content=picture(1), headers=header).raise_for_status()
    trace, parent, header = begun()
    http.get(ants.url, headers=header).raise_for_status()
    whole(spans, trace, parent)
    assert not spans.of_trace(unsampled)


@pytest.mark.parametrize(
    "traceparent", ["", "garbage", f"00-{'0' * 32}-{'1' * 16}-01", "00-" + "f" * 4000]
)
def test_a_traceparent_that_is_none_begins_a_new_trace(
    http: httpx.Client, spans: Collector, traceparent: str
) -> None:
    agent = secrets.token_hex(8)
    header = {"traceparent": traceparent, "user-agent": agent}
    http.get("/v1/classifiers", headers=header).raise_for_status()

    def mine(found: list[Span]) -> list[Span]:
        return [span for span in found if span.attributes.get("user_agent.original") == agent]

    [span] = spans.wait(mine)
    assert span.parent == ""
    assert span.trace != "0" * 32


def test_probes_and_scrapes_are_not_traced(http: httpx.Client, spans: Collector) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        http.get(path).raise_for_status()
    trace, parent, header = begun()
    http.get("/v1/classifiers", headers=header)
    whole(spans, trace, parent)
    assert not [
        one for one in spans.spans if one.attributes.get("url.path") in ("/healthz", "/metrics")
    ]


def test_a_job_is_a_trace_of_its_own_that_says_which_request_has_begun_it(
    http: httpx.Client, ants: Classifier, spans: Collector
) -> None:
    trace, parent, header = begun()
    asked = http.post(
        f"{ants.url}/predict",
        content=zipped({f"{i}.png": picture(i) for i in range(3)}),
        headers=header | {"prefer": "respond-async", "content-type": "application/zip"},
    )
    assert asked.status_code == 202
    root = next(one for one in whole(spans, trace, parent) if one.parent == parent)

    def job(found: list[Span]) -> list[Span]:
        return [span for span in found if (trace, root.id) in span.links and span.name == "job"]

    [span] = spans.wait(job)
    assert span.trace != trace
    assert span.parent == ""
    assert span.attributes["handful.job.kind"] == "predict"
    below = spans.of_trace(span.trace)
    pieces = [one.id for one in below if one.name == "piece"]
    assert pieces
    assert [one for one in below if one.name == "encode" and one.parent in pieces]


def test_a_tuning_in_the_background_says_which_request_has_begun_it(
    http: httpx.Client, ants: Classifier, spans: Collector
) -> None:
    ants.post("ant", *(picture(i) for i in range(66))).raise_for_status()
    trace, parent, header = begun()
    http.post(
        f"{ants.class_url('bee')}/images", files=files(picture(99)), headers=header
    ).raise_for_status()
    root = next(one for one in whole(spans, trace, parent) if one.parent == parent)
    [tuning] = spans.wait(
        lambda found: [one for one in found if one.name == "tune" and (trace, root.id) in one.links]
    )
    assert tuning.parent == ""
    assert tuning.attributes["handful.outcome"] in ("written", "nothing")


def test_lines_of_the_log_are_json_and_name_the_trace(
    traced: Server, http: httpx.Client, spans: Collector
) -> None:
    trace, parent, header = begun()
    key = f"handful_{'ab' * 8}_{'s' * 43}"
    http.get(
        "/v1/classifiers?token=hidden\r\n".strip(),
        headers=header | {"authorization": f"Bearer {key}", "cookie": "session=hidden"},
    )
    root = next(one for one in whole(spans, trace, parent) if one.parent == parent)
    text = traced.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"timestamp", "level", "logger", "message"} <= set.intersection(*map(set, lines))
    assert any("running on" in line["message"] for line in lines)  # uvicorn's
    [line] = [line for line in lines if line.get("trace_id") == trace]
    assert line["logger"] == "handful.access"
    assert line["span_id"] == root.id
    assert line["url.path"] == "/v1/classifiers"
    assert line["http.route"] == "/v1/classifiers"
    assert line["http.response.status_code"] == 200
    assert 0 < line["duration"] < 60
    assert "hidden" not in text
    assert key not in text
