"""Jobs over HTTP: what they answer is what a request would have answered, in any number."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2 as httpx
import jsonschema
import pytest
from PIL import Image

from service.api.event_streams import EVENT_SCHEMA
from tests.service.client import Classifier, of_four, problem
from tests.service.jobs.asking import ASYNC, ask, begun, ended, results
from tests.service.pictures import encoded, picture, zipped
from tests.service.server import Server

MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared_database: str) -> Path:
    """Anew for each database: tests make folders in it."""
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, vit: str, folder: Path, shared_database: str
) -> Iterator[Server]:
    data_dir = tmp_path_factory.mktemp("jobs")
    with Server.ready(
        data_dir,
        backbone=vit,
        database_url=shared_database,
        job_folders=folder,
        max_job_images=200,
        max_job_bytes=MOST_BYTES,
        max_jobs=3,
    ) as started:
        yield started
        started.stop()
        assert "Traceback" not in started.log.read_text()


@pytest.fixture(scope="module")
def http(running: Server) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


@pytest.fixture
def made(http: httpx.Client, request: pytest.FixtureRequest) -> Classifier:
    return of_four(http, request.node.originalname.replace("_", "-")[:60])


def test_a_prediction_has_the_lines_of_an_answer_in_the_order_of_the_zip(
    http: httpx.Client, made: Classifier
) -> None:
    files = {f"{i}/b.png": picture(i) for i in (9, 3, 1, 7)} | {"README.md": b"no image"}
    where = begun(made, "predict", files, top_k=2, evidence=1)
    job = ended(http, where)
    assert job["state"] == "done"
    assert job["progress"] == {"total": 4, "done": 4, "failed": 0, "skipped": 1}
    assert job["parameters"] == {"top_k": 2, "evidence": 1}
    lines = results(http, where)
    assert [line.pop("file") for line in lines] == list(files)[:4]
    expected = made.predictions(*map(picture, (9, 3, 1, 7)), top_k=2, evidence=1)
    for line, answer in zip(lines, expected, strict=True):
        assert line.keys() == answer.keys()
        assert line["label"] == answer["label"]
        assert line["probability"] == pytest.approx(answer["probability"], abs=1e-4)
        assert [one["label"] for one in line["top_k"]] == [one["label"] for one in answer["top_k"]]
        assert line["evidence"][0]["image_id"] == answer["evidence"][0]["image_id"]


def test_what_only_a_job_does_needs_no_preference(
    http: httpx.Client, made: Classifier, folder: Path
) -> None:
    archive = zipped({"wasp/a.png": picture(1)})
    taken = made.post_body(archive, "application/zip", "predict")
    assert taken.status_code == 202
    assert "preference-applied" not in taken.headers
    assert [line["label"] for line in results_of(http, taken.headers["location"])] == ["ant"]
    (folder / "alone").mkdir()
    (folder / "alone" / "a.png").write_bytes(picture(1))
    taken = http.post(f"{made.url}/predict", json={"folder": str(folder / "alone")})
    assert taken.status_code == 202
    assert made.post_zip(archive).status_code == 201  # at once


def test_files_that_cannot_be_used_are_lines_with_a_problem(
    http: httpx.Client, made: Classifier
) -> None:
    whole = picture(5)
    files = {"a.png": whole, "b.png": b"no image", "c.png": whole[:300], "d.png": picture(6)}
    where = begun(made, "predict", files)
    job = ended(http, where)
    assert (job["state"], job["progress"]["failed"]) == ("done", 2)
    lines = results(http, where)
    assert [line["file"] for line in lines] == list(files)
    kinds = [line.get("problem", {}).get("type") for line in lines]
    assert kinds == [None, "not-an-image", "broken-image", None]
    assert job["errors"] == [line for line in lines if "problem" in line]
    assert "b.png" in job["errors"][0]["problem"]["detail"]


def test_a_registration_registers_what_it_can_and_says_what_is_new(
    http: httpx.Client, made: Classifier
) -> None:
    files = {
        "ant/1.png": picture(1),  # is there
        "ant/new.png": picture(20),
        "ant/again.png": picture(20),
        "wasp/1.png": picture(21),
        "wasp/bad.png": b"no image",
    }
    where = begun(made, "support", files)
    job = ended(http, where)
    assert (job["state"], job["kind"]) == ("done", "register")
    assert job["progress"] == {"total": 5, "done": 5, "failed": 1, "skipped": 0}
    lines = results(http, where)
    statuses = [line.get("status") for line in lines]
    assert statuses == ["duplicate", "created", "duplicate", "created", None]
    assert lines[1]["id"] == lines[2]["id"]
    assert made.counts() == {"ant": 3, "bee": 2, "wasp": 1}
    assert made.get_class("wasp").json()["images"][0]["id"] == lines[3]["id"]
    # The input is of no use any more.
    where = begun(made, "support", files)
    assert [one.get("status") for one in results_of(http, where)] == ["duplicate"] * 4 + [None]
    assert made.counts() == {"ant": 3, "bee": 2, "wasp": 1}


def results_of(http: httpx.Client, where: str) -> list[dict[str, object]]:
    assert ended(http, where)["state"] == "done"
    return results(http, where)


def test_a_folder_is_read_without_its_links(
    http: httpx.Client, made: Classifier, folder: Path, tmp_path: Path
) -> None:
    inside = folder / "season"
    (inside / "ant").mkdir(parents=True)
    (inside / "ant" / "1.png").write_bytes(picture(30))
    (inside / "bee").mkdir()
    (inside / "bee" / "2.png").write_bytes(picture(31))
    (tmp_path / "secret.png").write_bytes(picture(32))
    (inside / "bee" / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(inside / "pipe.png")
    where = begun(made, "predict", str(inside))
    assert [line["file"] for line in results_of(http, where)] == ["ant/1.png", "bee/2.png"]
    assert http.get(where).json()["folder"] == str(inside)
    begun_again = begun(made, "support", str(inside))
    assert [line["status"] for line in results_of(http, begun_again)] == ["created", "created"]
    assert made.counts() == {"ant": 3, "bee": 3}
    for outside in (
        str(tmp_path),
        f"{folder}/../{tmp_path.name}",
        f"{folder}/..",
        f"{folder}x",
        "/",
        "season",
        str(inside / "elsewhere"),
        str(inside / "none"),
        str(inside / "ant" / "1.png"),
        f"{folder}\0/x",
    ):
        problem(ask(made, "predict", outside), 403, "folder-not-allowed")


def test_what_cannot_be_a_job_is_refused_and_leaves_nothing(
    http: httpx.Client, made: Classifier, running: Server
) -> None:
    before = sorted((running.data_dir / "jobs").iterdir())
    nobody = Classifier(http, "nobody")
    empty = Classifier(http, "empty-one")
    empty.put()
    headers = {**ASYNC, "content-type": "application/zip"}
    send = http.post
    problem(ask(nobody, "predict", {"a.png": picture(1)}), 404, "classifier-not-found")
    problem(ask(empty, "predict", {"a.png": picture(1)}), 409, "no-classes")
    problem(ask(made, "predict", {"README.md": b""}), 422, "empty-upload")
    problem(ask(made, "support", {"a.png": picture(1)}), 422, "invalid-upload", "has no folder")
    problem(ask(made, "support", {"../a.png": b""}), 422, "invalid-upload", "outside of itself")
    for body in (b"no zip", zipped({"a.png": picture(1)})[:-30]):
        refused = send(f"{made.url}/predict", content=body, headers=headers)
        problem(refused, 422, "invalid-upload", "The zip is damaged")
    refused = send(f"{made.url}/predict", content=b"", headers=headers)
    problem(refused, 422, "empty-upload")
    too_many = {f"{i}.png": b"x" for i in range(201)}
    problem(ask(made, "predict", too_many), 413, "request-too-large", "HANDFUL_MAX_JOB_IMAGES")
    large = {f"{i}.png": os.urandom(700_000) for i in range(5)}
    problem(ask(made, "predict", large), 413, "request-too-large", "HANDFUL_MAX_JOB_BYTES")

    def unannounced() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(100_000)

    refused = send(f"{made.url}/predict", content=unannounced(), headers=headers)
    problem(refused, 413, "request-too-large", "HANDFUL_MAX_JOB_BYTES")
    for document in ({"folder": 7}, {"folder": ""}, {"folder": "/a", "more": 1}):
        refused = send(f"{made.url}/predict", json=document, headers=ASYNC)
        problem(refused, 422, "request-validation-failed", "body.")
    assert sorted((running.data_dir / "jobs").iterdir()) == before
    # What asks for no job is answered as ever.
    answer = http.post(
        f"{made.url}/predict",
        content=picture(1),
        headers={**ASYNC, "content-type": "image/png"},
    )
    assert answer.status_code == 200


def test_jobs_are_listed_page_by_page_and_removed(http: httpx.Client, made: Classifier) -> None:
    asked = [begun(made, "predict", {"a.png": picture(i)}) for i in range(3)]
    for where in asked:
        ended(http, where)
    newest = [f"/v1/jobs/{job['id']}" for job in pages(http, classifier=made.name)]
    assert newest == asked[::-1]
    assert list(pages(http, classifier=made.name, state="failed")) == []
    assert len(list(pages(http))) >= 3
    problem(http.get("/v1/jobs?cursor=1"), 422, "request-validation-failed")
    problem(http.get(f"/v1/jobs?cursor={'9' * 18}-{'0' * 32}"), 422, "request-validation-failed")
    problem(http.get(f"/v1/jobs/{'0' * 32}"), 404, "job-not-found")
    for what in ("results", "events"):
        problem(http.get(f"/v1/jobs/{'0' * 32}/{what}"), 404, "job-not-found")
    assert http.delete(asked[0]).status_code == 204
    problem(http.get(asked[0]), 404, "job-not-found")
    problem(http.delete(asked[0]), 404, "job-not-found")
    assert [f"/v1/jobs/{one['id']}" for one in pages(http, classifier=made.name)] == asked[:0:-1]


def pages(http: httpx.Client, **asked: str) -> Iterator[dict[str, object]]:
    following: str | None = ""
    while following is not None:
        after = {"cursor": following} if following else {}
        page = http.get("/v1/jobs", params={"limit": 2, **asked, **after}).raise_for_status().json()
        assert len(page["jobs"]) <= 2
        yield from page["jobs"]
        following = page["next_cursor"]


@pytest.fixture
def slow(made: Classifier) -> Callable[[], str]:
    """Jobs of as many files as may be, each of which takes a while to decode."""
    content = encoded(Image.new("RGB", (900, 900), "teal"))
    files = {f"{i:03}.png": content for i in range(200)}
    return lambda: begun(made, "predict", files)


def test_a_cancelled_job_ends_and_keeps_what_it_has(
    http: httpx.Client, slow: Callable[[], str]
) -> None:
    asked = [slow() for _ in range(3)]  # the third one waits
    answers = [http.delete(where) for where in asked[::-1]]
    for where, answer in zip(asked[::-1], answers, strict=True):
        assert answer.status_code in (202, 204)
        if answer.status_code == 204:  # it was quicker
            continue
        job = ended(http, where)
        assert job["state"] in ("cancelled", "done")
        assert len(results(http, where)) == job["progress"]["done"]
    assert answers[0].json()["state"] == "cancelled"  # at once, as it was not begun


def test_no_more_jobs_wait_than_may(http: httpx.Client, slow: Callable[[], str]) -> None:
    asked, refused = [], None
    for _ in range(30):
        try:
            asked.append(slow())
        except AssertionError as error:
            refused = str(error)
            break
    assert refused is not None
    assert "too-many-jobs" in refused
    for where in asked:
        http.delete(where)
    for where in asked[-3:]:
        assert http.get(where).status_code == 404 or ended(http, where)


def test_a_job_of_a_classifier_that_is_deleted_fails(
    http: httpx.Client, made: Classifier, slow: Callable[[], str]
) -> None:
    asked = [slow() for _ in range(3)]
    http.delete(made.url).raise_for_status()
    made.put()  # another one of that name
    last = ended(http, asked[-1])
    assert last["state"] == "failed"
    assert last["problem"]["type"] == "classifier-not-found"
    for where in asked:
        ended(http, where)


def test_jobs_go_on_when_their_classifier_is_renamed(
    http: httpx.Client, made: Classifier, slow: Callable[[], str]
) -> None:
    files = {f"ant/{i:03}.png": picture(i) for i in range(40, 100)}
    asked = [slow(), slow(), begun(made, "support", files)]
    to = f"{made.name[:50]}-now"
    http.post(f"{made.url}/rename", json={"to": to}).raise_for_status()
    made.put()  # another one of the old name, which gets nothing
    for where in asked:
        job = ended(http, where)
        assert (job["state"], job["classifier"]) == ("done", to), job
        assert len(results(http, where)) == job["progress"]["total"]
    renamed = Classifier(http, to)
    assert renamed.counts()["ant"] == 62
    assert made.counts() == {}
    assert {f"/v1/jobs/{one['id']}" for one in pages(http, classifier=to)} == set(asked)


def test_events_tell_of_progress_and_the_end_and_go_on_where_they_were(
    http: httpx.Client, slow: Callable[[], str]
) -> None:
    where = slow()
    told = []
    with http.stream("GET", f"{where}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in stream.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                told.append(fields)
                fields = {}
    assert [one["event"] for one in told[:-1]] == ["progress"] * (len(told) - 1)
    assert told[-1]["event"] == "end"
    for event in told:
        jsonschema.validate(event, EVENT_SCHEMA)  # of an event, as OpenAPI 3.1 has it
    numbers = [int(one["id"]) for one in told]
    assert numbers == sorted(set(numbers))
    assert '"done":200' in told[-1]["data"]
    again = http.get(f"{where}/events", headers={"last-event-id": told[-1]["id"]})
    assert again.status_code == 204
    missed = http.get(f"{where}/events", headers={"last-event-id": told[0]["id"]})
    assert missed.text.count("event: ") == 1
    began = time.monotonic()
    assert http.head(f"{where}/events").status_code == 200
    assert time.monotonic() - began < 5
