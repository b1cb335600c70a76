"""What the client makes of a service that is busy, breaks off, or is none."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import handful_client._async.transport
import handful_client._sync.transport
import pytest
from handful_client import (
    AnswerTimeout,
    AsyncClient,
    Client,
    Conflict,
    ImageLike,
    ImageUrl,
    Invalid,
    NoAnswer,
    NotFound,
    Problem,
    TooManyRequests,
    Unavailable,
    UnreadableAnswer,
)
from handful_client.models import PredictionOut

from tests.client.hostile import Hostile, answer, hostile, problem

PREDICTION = {
    "label": "ant",
    "probability": 0.9,
    "known": True,
    "p_value": 0.5,
    "prediction_set": None,
    "top_k": [],
    "evidence": [],
}
ANSWER = json.dumps({"classifier": "c", "shift": None, "predictions": [PREDICTION]}).encode()
GOOD = answer(200, ANSWER, "content-type: application/json")
KEY = "hf_secret"

Ask = Callable[..., PredictionOut]


def ask(url: str, **options: float) -> PredictionOut:
    with Client(url, key=KEY, **options) as client:  # type: ignore[arg-type]
        return client.classifier("c").predict(b"image")


def ask_async(url: str, **options: float) -> PredictionOut:
    async def asked() -> PredictionOut:
        async with AsyncClient(url, key=KEY, **options) as client:  # type: ignore[arg-type]
            return await client.classifier("c").predict(b"image")

    return asyncio.run(asked())


@pytest.fixture(params=[ask, ask_async], ids=["sync", "async"])
def asking(request: pytest.FixtureRequest) -> Ask:
    return request.param


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were to be waited, and are not."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(handful_client._sync.transport, "pause", waited.append)
    monkeypatch.setattr(handful_client._async.transport, "pause", pause)
    return waited


def check_same(server: Hostile, count: int) -> None:
    """All attempts are one call, of the same bytes."""
    assert len(server.received) == count
    assert {one.body for one in server.received} == {b"image"}
    assert not any("idempotency-key" in one.headers for one in server.received)  # changes nothing
    assert {one.headers["authorization"] for one in server.received} == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    "refusal",
    [
        problem(503, "overloaded", "retry-after: 3"),
        problem(429, "rate-limited", "retry-after: 3"),
        problem(409, "idempotency-key-in-use", "retry-after: 3"),
    ],
)
def test_a_refusal_that_passes_is_waited_for_as_long_as_it_says(
    asking: Ask, pauses: list[float], refusal: bytes
) -> None:
    with hostile(refusal, refusal, GOOD) as server:
        assert asking(server.url).label == "ant"
    check_same(server, 3)
    assert [
        3 <= seconds <= 3 + longest for seconds, longest in zip(pauses, (0.5, 1.0), strict=True)
    ]
    assert all(seconds >= 3 for seconds in pauses)


def test_a_date_is_waited_for_too(asking: Ask, pauses: list[float]) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    with hostile(problem(503, "shutting-down", f"retry-after: {then}"), GOOD) as server:
        assert asking(server.url).label == "ant"
    assert 10 < pauses[0] < 21


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        answer(200, ANSWER[:20], length=len(ANSWER)),
        b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"cla\r\n',
        b"220 mail.example ESMTP\r\n",
        answer(502, b"<html>Bad Gateway</html>", "content-type: text/html"),
    ],
    ids=["no answer", "in the head", "in the body", "in a chunk", "no HTTP", "a proxy's"],
)
def test_an_answer_that_breaks_off_is_asked_for_again(
    asking: Ask, pauses: list[float], broken: bytes
) -> None:
    with hostile(broken, broken, GOOD) as server:
        assert asking(server.url).label == "ant"
    check_same(server, 3)
    assert len(pauses) == 2
    assert all(0 <= seconds <= 1 for seconds in pauses)


REGISTERED = answer(
    201,
    b'{"classifier": "c", "created": 1, "duplicates": 0, "images": [{"id": "0", "label": "a",'
    b' "filename": "image-0", "status": "created", "before": null, "after": null}],'
    b' "skipped": []}',
)
LOST = problem(409, "already-carried-out")


def keys(server: Hostile) -> list[str]:
    return [one.headers["idempotency-key"] for one in server.received]


@pytest.mark.usefixtures("pauses")
def test_attempts_of_one_change_have_one_key_and_the_same_bytes() -> None:
    broken = [b"", problem(503, "overloaded"), answer(200, b"{", length=9)]
    with hostile(*broken, REGISTERED, REGISTERED) as server, Client(server.url) as client:
        client.classifier("c").register("a", b"image")
        client.classifier("c").register("a", b"image")
    *first, second = keys(server)
    assert len(set(first)) == 1
    assert second not in first
    assert len({one.body for one in server.received[:4]}) == 1
    with hostile(b"", answer(204), answer(204)) as server, Client(server.url) as client:
        client.classifier("c").delete()
        client.classifier("c").delete_class("a")
    first_key, again, other = keys(server)
    assert first_key == again != other


@pytest.mark.usefixtures("pauses")
def test_a_change_whose_answer_is_lost_is_made_once() -> None:
    with hostile(b"", LOST, REGISTERED) as server, Client(server.url) as client:
        assert client.classifier("c").register("a", b"image").images
    first, again, anew = keys(server)
    assert first == again != anew  # images that are there are recognised
    with hostile(b"", LOST) as server, Client(server.url) as client:
        client.classifier("c").delete_image("a", "0")  # is done
    with hostile(b"", LOST) as server, Client(server.url) as client:
        with pytest.raises(Conflict) as raised:
            client.make_key()
        assert raised.value.type == "already-carried-out"


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (problem(503, "overloaded", "retry-after: 300"), Unavailable),
        (problem(429, "rate-limited", "retry-after: 61"), TooManyRequests),
        (problem(503, "other-backbone"), Unavailable),
        (problem(404, "classifier-not-found"), NotFound),
        (problem(422, "not-an-image"), Invalid),
        (problem(500, "internal-error"), Problem),
        (problem(504, "deadline-exceeded"), Problem),
    ],
)
def test_what_does_not_pass_in_time_is_raised_at_once(
    asking: Ask, pauses: list[float], refusal: bytes, kind: type[Problem]
) -> None:
    with hostile(refusal) as server, pytest.raises(kind) as raised:
        asking(server.url)
    error = raised.value
    assert type(error) is kind
    assert f'status": {error.status}, "detail": "Do so."' in refusal.decode()
    assert (error.title, error.detail) == ("So it is", "Do so.")
    assert str(error) == f"Do so. ({error.status} {error.type})"
    assert not pauses
    assert len(server.received) == 1


def test_patience_ends(asking: Ask) -> None:
    refusal = problem(503, "overloaded")
    with hostile(*[refusal] * 50) as server, pytest.raises(Unavailable):
        asking(server.url, patience=0.3)
    assert 1 <= len(server.received) < 50


def test_without_patience_there_is_one_attempt(asking: Ask, pauses: list[float]) -> None:
    with hostile(problem(503, "overloaded"), GOOD) as server, pytest.raises(Unavailable):
        asking(server.url, patience=0)
    assert (len(server.received), pauses) == (1, [])


def test_json_that_is_cut_short_is_told(asking: Ask, pauses: list[float]) -> None:
    with hostile(answer(200, ANSWER[:-10])) as server, pytest.raises(UnreadableAnswer) as raised:
        asking(server.url)
    assert "/v1/classifiers/c/predict is no PredictionsOut" in str(raised.value)
    assert not pauses


def test_another_program_that_answers_is_told(asking: Ask) -> None:
    with hostile(answer(200, b"<html>")) as server, pytest.raises(UnreadableAnswer):
        asking(server.url)
    html = answer(404, b"<h1>Oh no</h1>", "content-type: text/html")
    with hostile(html) as server, pytest.raises(Problem) as raised:
        asking(server.url)
    assert raised.value.type == "about:blank"
    assert "<h1>Oh no</h1>" in str(raised.value)


def test_a_redirect_is_not_followed(asking: Ask) -> None:
    with hostile(GOOD) as other, hostile(answer(307, b"", f"location: {other.url}")) as server:
        with pytest.raises(Problem) as raised:
            asking(server.url)
        assert raised.value.status == 307
        assert not other.received  # which would have been told the key


def test_nobody_there_is_told(asking: Ask, pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NoAnswer, match="gives no answer") as raised:
            asking(url, patience=1)
    assert url in str(raised.value)
    assert pauses  # it might just be starting


def test_silence_has_an_end_and_is_not_asked_again(asking: Ask, pauses: list[float]) -> None:
    with hostile() as server, pytest.raises(AnswerTimeout, match=r"not answered in 0\.2 s"):
        asking(server.url, timeout=0.2)
    assert (len(server.received), pauses) == (1, [])


def test_the_key_is_shown_nowhere(asking: Ask) -> None:
    with Client("http://localhost:1", key=KEY) as client:
        assert KEY not in repr(client) + repr(client.classifier("c"))
    with hostile(problem(401, "no-key")) as server, pytest.raises(Problem) as raised:
        asking(server.url)
    assert KEY not in repr(raised.value) + str(raised.value)


@pytest.mark.parametrize("key", ["", "two words", "line\n", "Schlüssel"])
def test_keys_that_cannot_be_sent_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="a key is printable ASCII") as raised:
        Client("http://localhost:1", key=key)
    assert not key or key not in str(raised.value)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a", "http://", "http://a?b=c", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Client(url)


def test_a_path_before_the_services_stays() -> None:
    ready = answer(200, b'{"status": "ready", "storage": "sound"}')
    with hostile(ready) as server, Client(f"{server.url}/handful/") as client:
        assert client.ready().status == "ready"
    assert server.received[0].line == "GET /handful/readyz HTTP/1.1"


def test_urls_are_sent_beside_files_and_not_fetched_here() -> None:
    told = json.loads(ANSWER)
    told["predictions"] *= 2
    asked: list[ImageLike] = [ImageUrl(url="https://images.example/a.jpg"), b"image"]
    with hostile(answer(200, json.dumps(told).encode())) as server, Client(server.url) as client:
        assert len(list(client.classifier("c").predict_many(asked))) == 2
    [sent] = server.received
    assert sent.headers["content-type"] == "application/json"
    assert json.loads(sent.body) == {
        "images": [
            {"url": "https://images.example/a.jpg"},
            {"data": "aW1hZ2U=", "filename": "image-1"},
        ]
    }


def test_members_and_values_that_are_new_are_taken() -> None:
    newer = {
        "state": "something-new",
        "precision": "float8",
        "resizing": None,
        "going_back": False,
        "since": "2026-01-01T12:00:00Z",
        "images": {"done": 1, "all": 2, "lost": 0},
        "classifiers": {"done": 1, "all": 2},
        "error": None,
        "planet": {"name": "Mars"},
    }
    with hostile(answer(200, json.dumps(newer).encode())) as server, Client(server.url) as client:
        told = client.re_embedding()
    assert (told.state, told.precision, told.images.all) == ("something-new", "float8", 2)
