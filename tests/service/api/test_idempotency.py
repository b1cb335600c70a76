"""Idempotency-Key: a change is made once, and its answer is given again."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.api.middleware.idempotency import SCOPE_KEY, Idempotency
from service.problems import IdempotencyKeyInUse
from service.storage.idempotency import IdempotencyKeys, KeptAnswer, RequestMark
from service.storage.jobs import JobRecord, Jobs
from tests.service.client import Classifier, files, of_four, problem
from tests.service.pictures import picture, zipped
from tests.service.server import Server


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def kept(server: Server, statement: str, *values: object) -> None:
    with sqlite3.connect(server.data_dir / "handful.db", timeout=10) as database:
        database.execute(statement, values)
    database.close()


def test_a_registration_is_made_once_however_often_it_is_sent(spare: Server) -> None:
    with spare.client() as http:
        made = of_four(http, "registered-once")
        url, sent = f"{made.class_url('ant')}/images", key()
        first = http.post(url, files=files(picture(9)), headers=sent)
        made.http.delete(made.class_url("bee")).raise_for_status()
        tag = http.get(made.url).headers["etag"]
        again = http.post(url, files=files(picture(9)), headers=sent)  # with another boundary
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["content-type"] == first.headers["content-type"]
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert http.get(made.url).headers["etag"].split(".")[:2] == tag.split(".")[:2]


def test_what_was_deleted_once_is_answered_so_again(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "deleted-once"), key()
        assert http.delete(made.url, headers=sent).status_code == 204
        made.put().raise_for_status()
        assert http.delete(made.url, headers=sent).status_code == 204
        assert http.get(made.url).status_code == 200


def test_a_change_that_changes_nothing_is_answered_again_too(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "nothing-twice"), key()
        first = http.put(made.class_url("ant"), headers=sent)
        http.delete(made.class_url("ant")).raise_for_status()
        again = http.put(made.class_url("ant"), headers=sent)
        assert (again.status_code, again.content) == (200, first.content)
        assert list(made.counts()) == ["bee"]


def test_two_processes_that_change_nothing_at_once_give_one_answer(engine: Engine) -> None:
    async def answered() -> list[tuple[bytes, bool]]:
        both_began = asyncio.Barrier(2)

        async def process(number: int) -> tuple[bytes, bool]:
            async def app(scope: Scope, receive: Receive, send: Send) -> None:
                await scope[SCOPE_KEY].begin(IdempotencyKeys(engine), Request(scope, receive))
                await both_began.wait()
                await Response(f"of process {number}")(scope, receive, send)

            async def receive() -> Message:
                return {"type": "http.request", "body": b""}

            sent: list[Message] = []

            async def send(message: Message) -> None:
                sent.append(message)

            parts: Any = SimpleNamespace(engine=engine)
            scope = {
                "type": "http",
                "method": "PUT",
                "path": "/v1/classifiers/a",
                "query_string": b"",
                "headers": [(b"idempotency-key", b"one")],
            }
            await Idempotency(app, lambda: parts)(scope, receive, send)
            start, body = sent
            return body["body"], (b"idempotent-replayed", b"true") in start["headers"]

        return list(await asyncio.gather(process(1), process(2)))

    (first, first_again), (second, second_again) = asyncio.run(answered())
    assert first == second
    assert {first_again, second_again} == {False, True}


def test_another_request_needs_another_key(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "two-requests"), key()
        url = f"{made.class_url('ant')}/images"
        http.post(url, files=files(picture(9)), headers=sent).raise_for_status()
        before = made.state()
        for other in (
            http.post(url, files=files(picture(10)), headers=sent),
            http.post(url, files=files(picture(9)), headers=sent, params={"predict": True}),
            http.put(made.class_url("cat"), headers=sent),
        ):
            problem(other, 422, "idempotency-key-reused", "new key")
        assert made.state() == before


def test_a_request_that_failed_can_be_sent_again(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "failed-first"), key()
        url = f"{made.class_url('ant')}/images"
        bad = http.post(url, content=b"none", headers={"content-type": "image/png", **sent})
        problem(bad, 422, "not-an-image")
        good = http.post(url, content=picture(9), headers={"content-type": "image/png", **sent})
        assert good.status_code == 201


@pytest.mark.parametrize("value", ["", '""', "a" * 256, "a b", '"a', "é".encode()])
def test_what_is_no_key_is_refused(spare: Server, value: str | bytes) -> None:
    with spare.client() as http:
        url = "/v1/classifiers/no-key"
        answer = http.put(url, headers={"idempotency-key": value})  # type: ignore[arg-type]
        problem(answer, 400, "invalid-idempotency-key", "UUID")
        assert http.get(url).status_code == 404


def test_quotes_around_a_key_do_not_count(spare: Server) -> None:
    with spare.client() as http:
        [bare] = key().values()
        url = "/v1/classifiers/quoted-key"
        assert http.put(url, headers={"idempotency-key": f'"{bare}"'}).status_code == 201
        assert http.put(url, headers={"idempotency-key": bare}).status_code == 201
        assert http.put(url).status_code == 200


def test_a_change_whose_answer_was_lost_is_told_of(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "lost-answer"), key()
        http.put(made.class_url("cat"), headers=sent).raise_for_status()
        old = (datetime.now(UTC) - timedelta(seconds=3)).strftime("%Y-%m-%d %H:%M:%S.%f")
        statement = "UPDATE idempotency_keys SET status = NULL, created_at = ? WHERE classifier = ?"
        kept(spare, statement, old, made.name)
        told = problem(
            http.put(made.class_url("cat"), headers=sent), 409, "already-carried-out", "once"
        )
        assert (told["classifier"], told["revision"]) == (made.name, 3)


def test_a_key_is_forgotten_after_a_day(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "next-day"), key()
        http.put(made.class_url("cat"), headers=sent).raise_for_status()
        http.delete(made.class_url("cat")).raise_for_status()
        old = (datetime.now(UTC) - timedelta(hours=25)).strftime("%Y-%m-%d %H:%M:%S.%f")
        kept(spare, "UPDATE idempotency_keys SET created_at = ?", old)
        anew = http.put(made.class_url("cat"), headers=sent)
        assert anew.status_code == 201
        assert "idempotent-replayed" not in anew.headers


def test_of_many_at_once_one_is_carried_out(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "at-once"), key()
        answers: list[int] = []

        def change() -> None:
            with spare.client() as mine:
                url = f"{made.class_url('ant')}/images"
                answer = mine.post(url, files=files(picture(9)), headers=sent)
                if answer.status_code == 409:
                    problem(answer, 409, "idempotency-key-in-use")
                answers.append(answer.status_code)

        threads = [threading.Thread(target=change) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 201 in answers
        assert set(answers) <= {201, 409}
        tag = http.get(made.url).headers["etag"].split(".")[1]
        assert (tag, made.counts()["ant"]) == ("3", 3)


def test_predictions_may_have_a_key_and_are_made_each_time(spare: Server) -> None:
    with spare.client() as http:
        made, sent = of_four(http, "asked-twice"), key()
        for seed in (1, 3):
            image = {"content": picture(seed), "headers": {"content-type": "image/png", **sent}}
            answer = http.post(f"{made.url}/predict", **image)  # type: ignore[arg-type]
            assert answer.status_code == 200
            assert "idempotent-replayed" not in answer.headers


@pytest.mark.parametrize("what", ["predict", "support"])
def test_a_job_is_begun_once_however_often_it_is_asked_for(spare: Server, what: str) -> None:
    with spare.client() as http:
        made, sent = of_four(http, f"job-once-{what}"), key()
        headers = {**sent, "content-type": "application/zip", "prefer": "respond-async"}
        archive = zipped({"ant/1.png": picture(9)})
        url = f"{made.url}/{what}"
        first, again = (http.post(url, content=archive, headers=headers) for _ in range(2))
        assert (first.status_code, again.status_code) == (202, 202)
        assert again.content == first.content
        for name in ("location", "preference-applied", "content-type"):
            assert again.headers[name] == first.headers[name]
        assert again.headers["idempotent-replayed"] == "true"
        jobs = http.get("/v1/jobs", params={"classifier": made.name}).json()["jobs"]
        assert len(jobs) == 1
        other = http.post(url, content=zipped({"ant/1.png": picture(8)}), headers=headers)
        problem(other, 422, "idempotency-key-reused")
        headers["idempotency-key"] = "a" * 256
        problem(http.post(url, content=archive, headers=headers), 400, "invalid-idempotency-key")


def test_the_answer_of_a_job_is_kept_with_it(engine: Engine) -> None:
    jobs, keys = Jobs(engine), IdempotencyKeys(engine)
    answer = KeptAnswer(status=202, headers={"location": "/v1/jobs/1"}, body=b"{}")

    def ask(digest: str, most: int) -> bool:
        mark = RequestMark(digest, uuid.uuid4().hex, lambda: "f" * 64)
        job = a_job(uuid.uuid4().hex)
        return jobs.add(job, most, 10, lambda session, _: mark.answered(session, answer))

    assert ask("a" * 64, 10)
    found = keys.find("a" * 64)
    assert found is not None
    assert found.answer == answer
    with pytest.raises(IdempotencyKeyInUse):
        ask("a" * 64, 10)
    assert jobs.held("") == (1, 0)
    assert not ask("b" * 64, 1)  # there is no room
    assert keys.find("b" * 64) is None


def a_job(job_id: str) -> JobRecord:
    now = datetime.now(UTC)
    return JobRecord(
        id=job_id,
        tenant="",
        kind="predict",
        classifier="t",
        classifier_id=1,
        classifier_created_at=now,
        parameters={},
        folder=None,
        place="here",
        total=1,
        created_at=now,
    )


def test_one_classifier_is_no_matter_of_another(spare: Server) -> None:
    with spare.client() as http:
        sent = key()
        assert http.put(Classifier(http, "key-a").url, headers=sent).status_code == 201
        other = http.put(Classifier(http, "key-b").url, headers=sent)
        problem(other, 422, "idempotency-key-reused")
