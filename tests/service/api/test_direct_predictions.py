"""The direct way of plain queries: the same answers as the documented way, whatever is sent."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from service.api.app import create_app
from service.api.direct_predictions import DirectPredictions
from service.api.predicting import predictions_json
from service.api.request_metrics import SECONDS
from service.api.schemas.predictions import PredictionsOut
from service.composition import ServiceParts
from service.presentation.shift import ShiftOut
from service.registry.predictions import Evidence, Prediction, RankedLabel
from service.settings import Settings
from tests.service.pictures import picture

PREDICT = "/v1/classifiers/a/predict"
IMAGE = picture(1)
FORM_TYPE = "multipart/form-data; boundary=b"
FORM = (
    b'--b\r\ncontent-disposition: form-data; name="files"; filename="a.png"\r\n'
    b"content-type: image/png\r\n\r\n" + IMAGE + b"\r\n--b--\r\n"
)


@dataclass(frozen=True)
class Sent:
    """A request as ASGI has it, with its body in pieces; None: the client hangs up."""

    path: bytes = PREDICT.encode()
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: tuple[bytes | None, ...] = (IMAGE,)
    method: str = "POST"


Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Service:
    """An application whose two ways are asked one after the other."""

    def __init__(self, app: FastAPI, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.loop = loop
        self.direct: DirectPredictions

    def ask(self, sent: Sent, way: ASGIApp | None = None) -> Answer:
        """The whole answer: status, header fields in their order, content."""
        return self.loop.run_until_complete(self._ask(sent, way or self.app))

    async def _ask(self, sent: Sent, way: ASGIApp) -> Answer:
        left = list(sent.body) or [b""]
        status, headers, content = 0, [], b""

        async def receive() -> Any:
            if not left:
                await asyncio.sleep(3600)  # a client that waits
            if (piece := left.pop(0)) is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        async def send(message: Any) -> None:
            nonlocal status, headers, content
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            content += message.get("body", b"")

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": sent.method,
            "scheme": "http",
            "path": sent.path.decode("latin-1"),
            "raw_path": sent.path,
            "query_string": sent.query,
            "root_path": "",
            "headers": list(sent.headers),
            "client": ("test", 1),
            "server": ("test", 80),
            "app": self.app,
        }
        for live in (self.app.state.parts.registry.in_memory(name) for name in "ab"):
            if live is not None:
                live._look_anew()  # or the answers would tell of each other
        await asyncio.wait_for(way(scope, receive, send), 30)
        return status, headers, content


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Service]:
    limits: dict[str, Any] = {"max_image_bytes": 20_000, "max_request_bytes": 30_000}
    chosen = Settings(data_dir=tmp_path_factory.mktemp("direct"), backbone=vit, **limits)
    app = create_app(chosen)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(2))
    parts = app.state.parts = ServiceParts.start(chosen)
    made = Service(app, loop)
    for name in "ab":
        assert made.ask(Sent(f"/v1/classifiers/{name}".encode(), method="PUT", body=()))[0] == 201
    for label in ("ant", "bee"):
        for i in range(2):
            body = picture(10 * i + len(label))
            where = f"/v1/classifiers/a/classes/{label}/images".encode()
            headers = ((b"content-length", b"%d" % len(body)), (b"content-type", b"image/png"))
            assert made.ask(Sent(where, headers=headers, body=(body,)))[0] == 201
    stack = app.middleware_stack
    assert isinstance(stack, DirectPredictions)
    made.direct = stack
    yield made
    loop.run_until_complete(asyncio.to_thread(parts.close))
    loop.close()


def plain(headers: tuple[tuple[bytes, bytes], ...] = (), **others: Any) -> Sent:
    """A plain query, with these header fields in place of its own of the same name."""
    body = others.pop("body", (IMAGE,))
    own = {
        b"host": b"127.0.0.1",
        b"content-type": b"image/png",
        b"content-length": b"%d" % sum(len(piece or b"") for piece in body),
    }
    named = {name for name, _ in headers}
    kept = tuple((name, value) for name, value in own.items() if name not in named)
    return Sent(headers=kept + tuple(one for one in headers if one[1]), body=body, **others)


def pieces(body: bytes) -> st.SearchStrategy[tuple[bytes | None, ...]]:
    """A body cut somewhere, whole or not: perhaps the client hangs up."""

    def cut(places: list[int], *, ends: bool) -> tuple[bytes | None, ...]:
        edges = [0, *sorted(places), len(body)]
        parts = [body[a:b] for a, b in itertools.pairwise(edges)]
        return tuple(parts) if ends else (*parts[:-1], None)

    places = st.lists(st.integers(0, len(body)), max_size=3)
    return st.builds(cut, places, ends=st.sampled_from([True, True, True, False]))


PARAMETERS = st.lists(
    st.sampled_from(
        [
            *(b"top_k=1", b"top_k=1000", b"top_k=0", b"top_k=1001", b"top_k=-1", b"top_k=0005"),
            *(b"top_k=", b"top_k", b"top_k=a", b"top_k=+1", b"top_k=1.0", b"top_k=%31"),
            *(b"evidence=0", b"evidence=100", b"evidence=101", b"evidence=2", b"other=1", b""),
            "top_k=\u0663".encode(),
        ]
    ),
    max_size=3,
).map(b"&".join)
LONGEST = b"A9._-" + b"z" * 59
PATHS = st.sampled_from(
    [b"a", b"a", b"a", b"b", b"none", b"%61", b"..", b"a.b", LONGEST, b"x" * 65, b"_a", b"a b"]
)
FIELDS = st.lists(
    st.sampled_from(
        [
            (b"content-type", b"image/jpeg"),
            (b"content-type", b"image/png; q=1"),
            (b"content-type", b"IMAGE/PNG"),
            (b"content-type", b"application/json"),
            (b"content-type", b"application/octet-stream"),
            (b"content-type", b"multipart/form-data"),
            (b"content-type", b""),
            (b"content-length", b"99999"),
            (b"content-length", b"0"),
            (b"content-length", b""),
            (b"content-encoding", b"gzip"),
            (b"content-encoding", b"identity"),
            (b"transfer-encoding", b"chunked"),
            (b"host", b"elsewhere.example"),
            (b"host", b"localhost:8000"),
            (b"host", b""),
            (b"origin", b"http://elsewhere.example"),
            (b"origin", b"http://127.0.0.1"),
            (b"sec-fetch-site", b"cross-site"),
            (b"request-timeout", b"20"),
            (b"request-timeout", b"0"),
            (b"request-timeout", b"0.0"),
            (b"request-timeout", b"1e3"),
            (b"request-timeout", b"inf"),
            (b"request-timeout", b"-1"),
            (b"accept", b"text/html"),
            (b"x-forwarded-for", b"10.0.0.1"),
        ]
    ),
    max_size=3,
).map(tuple)
BODIES = st.one_of(
    pieces(IMAGE), pieces(b""), pieces(b"no image"), pieces(IMAGE[:100]), pieces(b"x" * 25_000)
)
FORMS = st.one_of(pieces(FORM), pieces(FORM[:-9]), pieces(b"--b--\r\n"), pieces(b"x" * 31_000))


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    form = draw(st.booleans())
    headers = draw(FIELDS)
    if form and b"content-type" not in dict(headers):
        headers = (*headers, (b"content-type", FORM_TYPE.encode()))
    return plain(
        headers,
        path=b"/v1/classifiers/" + draw(PATHS) + draw(st.sampled_from([b"/predict"] * 5 + [b"/"])),
        query=draw(PARAMETERS),
        body=draw(FORMS if form else BODIES),
        method=draw(st.sampled_from(["POST"] * 8 + ["GET", "OPTIONS"])),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=requests())
def test_both_ways_give_the_same_answer_to_every_request(service: Service, sent: Sent) -> None:
    assert service.ask(sent) == service.ask(sent, service.direct.documented)


PLAIN = [
    plain(),
    plain(query=b"top_k=2"),
    plain(query=b"evidence=0&top_k=1000"),
    plain(((b"request-timeout", b"0.5"), (b"accept", b"*/*"), (b"user-agent", b"x"))),
    plain(((b"content-type", b""),)),
    plain(((b"content-type", FORM_TYPE.encode()),), body=(FORM[:50], FORM[50:])),
    plain(path=b"/v1/classifiers/none/predict"),
    plain(path=b"/v1/classifiers/b/predict"),
    plain(path=b"/v1/classifiers/%s/predict" % LONGEST),
    plain(body=(b"no image",)),
    plain(body=(IMAGE[:5], None)),
]


@pytest.mark.parametrize("sent", PLAIN)
def test_plain_queries_go_directly_and_get_the_documented_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    documented = service.ask(sent, service.direct.documented)

    async def reached(*_: object) -> None:
        raise AssertionError("the documented way was taken")

    monkeypatch.setattr(service.direct, "documented", reached)
    assert service.ask(sent) == documented


def test_a_defect_is_the_same_problem_either_way(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(service.app.state.parts.embedder, "query", broken)
    answers = []
    for way in (service.direct, service.direct.documented):
        head: list[Any] = []

        async def noted(*arguments: Any, way: ASGIApp = way, head: list[Any] = head) -> None:
            scope, receive, send = arguments

            async def keep(message: Any) -> None:
                head.append(message)
                await send(message)

            with pytest.raises(RuntimeError):
                await way(scope, receive, keep)

        assert service.ask(plain(), noted)[0] == 500
        answers.append(head)
    assert answers[0] == answers[1]
    assert "a defect" not in repr(answers)  # which is in the log alone
    assert sum("failed" in one.message for one in caplog.records) == 2


def test_what_does_not_fit_beside_others_is_refused_the_documented_way(service: Service) -> None:
    budget = service.direct.in_flight
    with budget.account({}) as others:
        assert budget.take(others, service.app.state.parts.settings.max_bytes_in_flight)
        refused = service.ask(plain(body=(IMAGE[:10], IMAGE[10:])))
        assert refused == service.ask(plain(), service.direct.documented)
    assert refused[0] == 503
    assert budget.fits(others, 2**29)  # all was given back
    assert service.ask(plain())[0] == 200


def test_both_ways_are_counted_alike(service: Service) -> None:
    def counted() -> dict[str, float]:
        return {
            f"{one.name} {one.labels}": one.value
            for metric in SECONDS.collect()
            for one in metric.samples
            if one.name.endswith("_count")
        }

    grown = []
    for way in (service.direct, service.direct.documented):
        before = counted()
        for sent in PLAIN[:-1]:
            service.ask(sent, way)
        grown.append({k: v - before.get(k, 0) for k, v in counted().items() if v != before.get(k)})
    assert grown[0] == grown[1]
    assert len(grown[0]) >= 2  # some are answered, others refused


NUMBERS = st.floats(width=32) | st.sampled_from([0.0, 1.0, float("nan"), float("inf")])
SHARES = st.floats(0, 1)
LABELS = st.text(min_size=1, max_size=5).filter(lambda text: text.isprintable())
PREDICTIONS = st.builds(
    Prediction,
    st.lists(st.builds(RankedLabel, LABELS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=3),
    st.lists(st.builds(Evidence, LABELS, LABELS, NUMBERS), max_size=2),
    st.booleans(),
    st.none() | SHARES,
    st.none() | st.lists(LABELS, max_size=2),
)
SHIFTS = st.none() | st.builds(
    ShiftOut,
    queries=st.integers(20, 256),
    mean_p_value=SHARES,
    detected=st.booleans(),
    detail=st.none() | st.text(max_size=3),
)


@settings(deadline=None)
@given(predictions=st.lists(PREDICTIONS, max_size=3), shift=SHIFTS)
def test_the_json_is_that_of_the_documented_model(
    predictions: list[Prediction], shift: ShiftOut | None
) -> None:
    fields = {"classifier": "a", "shift": shift, "predictions": predictions}
    model = PredictionsOut.model_validate(fields)
    assert predictions_json("a", shift, predictions) == model.model_dump_json().encode()
