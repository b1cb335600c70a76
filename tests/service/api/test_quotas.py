"""Rate limits and quotas over HTTP: counted before anything is done, told by header fields."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from tests.service.api.test_keys import Keyed, made
from tests.service.client import Classifier, of_four, problem
from tests.service.pictures import picture
from tests.service.server import Server, run_handful


@pytest.fixture(scope="module")
def keyed(
    tmp_path_factory: pytest.TempPathFactory, vit: str, shared_database: str
) -> Iterator[Keyed]:
    data_dir = tmp_path_factory.mktemp("quotas")
    stored = {"database_url": shared_database}
    operator = made(data_dir, "--scopes", "admin,read,predict,write", **stored)
    with Server.ready(data_dir, backbone=vit, auth="keys", tenant_classes=3, **stored) as running:
        yield Keyed(running, operator)
        running.stop()
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def asked(keyed: Keyed) -> Iterator[Classifier]:
    with keyed.client(keyed.key(tenant="rates")) as http:
        yield of_four(http, "asked")


def test_requests_beyond_the_rate_are_refused_and_told_when_to_come(
    keyed: Keyed, asked: Classifier
) -> None:
    with keyed.client(keyed.key(tenant="rates", requests_per_second=2)) as http:
        answers = [Classifier(http, "asked").predict(picture(1)) for _ in range(4)]
        bare = Classifier(http, "asked").post_body(picture(1), "image/png", "predict")
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[0].headers["ratelimit-policy"] == '"key-requests";q=2;w=1'
    assert answers[0].headers["ratelimit"].startswith('"key-requests";r=1')
    problem(answers[2], 429, "rate-limited", "2 requests a second", "this key")
    problem(bare, 429, "rate-limited")
    assert answers[2].headers["retry-after"] == "1"
    assert answers[2].headers["ratelimit"].endswith(";t=1")
    assert asked.predict(picture(1)).status_code == 200  # with another key of the tenant
    assert "ratelimit" not in asked.predict(picture(1)).headers


def test_thumbnails_are_not_counted_and_what_else_is_read_is(
    keyed: Keyed, asked: Classifier
) -> None:
    url = f"{asked.url}/classes/ant"
    ids = [one["id"] for one in asked.http.get(url).json()["images"]] * 3
    with keyed.client(keyed.key(tenant="rates", requests_per_second=1)) as http:
        shown = [http.get(f"{asked.url}/images/{one}/thumbnail") for one in ids]
        assert len(shown) > 2
        assert {one.status_code for one in shown} == {200}
        assert [http.get(url).status_code for _ in range(2)] == [200, 429]
        problem(http.get(f"{url}/images/{ids[0]}"), 429, "rate-limited")


def test_images_count_before_they_are_decoded(keyed: Keyed, asked: Classifier) -> None:
    with keyed.client(keyed.key(tenant="rates", images_per_second=3)) as http:
        mine = Classifier(http, "asked")
        assert mine.predict(picture(1), picture(2)).status_code == 200
        refused = problem(mine.predict(b"no", b"image"), 429, "rate-limited", "3 images a second")
        assert "files" not in refused
        answer = mine.post_body(picture(1), "image/png", "predict")
        assert answer.headers["ratelimit"].startswith('"key-images";r=0')
        for path, body in [
            ("predict", {"images": [{"data": "AAAA"}] * 3}),
            ("classes/ant/images", {"images": [{"data": "AAAA"}] * 3}),
        ]:
            problem(http.post(f"{mine.url}/{path}", json=body), 429, "rate-limited")
        problem(mine.post("ant", picture(7), picture(8), picture(9)), 429, "rate-limited")
        named = [("files", (f"ant/{i}.png", b"x")) for i in range(3)]
        for path in ("support", "suggest"):
            problem(http.post(f"{mine.url}/{path}", files=named), 429, "rate-limited")


def test_more_images_than_the_bucket_holds_go_when_it_is_full(
    keyed: Keyed, asked: Classifier
) -> None:
    with keyed.client(keyed.key(tenant="rates", images_per_second=1)) as http:
        many = Classifier(http, "asked").predict(*[picture(i) for i in range(1, 6)])
        assert many.status_code == 200
        refused = Classifier(http, "asked").predict(picture(1))
        assert int(refused.headers["retry-after"]) == 5


def test_a_tenant_is_limited_as_one_and_set_beside_the_service(
    keyed: Keyed, shared_database: str
) -> None:
    keys = [keyed.key(tenant="shared") for _ in range(2)]
    with keyed.client(keys[0]) as first, keyed.client(keys[1]) as second:
        assert first.get("/v1/usage").json()["requests_per_second"] is None
        options = ["--requests-per-second", "0.1", "--classifiers", "1"]
        done = run_handful("limits", "set", "shared", *options, database_url=shared_database)
        assert done.returncode == 0, done.stderr
        deadline = time.monotonic() + 5
        while "ratelimit" not in (answer := first.get("/v1/classifiers")).headers:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert answer.headers["ratelimit-policy"] == '"tenant-requests";q=1;w=10'
        problem(second.get("/v1/classifiers"), 429, "rate-limited", "tenant of this key")
        none = ["--requests-per-second", "0"]
        done = run_handful("limits", "set", "shared", *none, database_url=shared_database)
        assert "classifiers: 1" in done.stdout
        while second.get("/v1/usage").status_code == 429:
            assert time.monotonic() < deadline + 5
            time.sleep(0.1)
        assert Classifier(first, "one").put().status_code == 201
        refused = problem(Classifier(second, "two").put(), 403, "quota-exceeded", "1")
        assert (refused["what"], refused["limit"], refused["used"]) == ("classifiers", 1, 2)
        assert second.get("/v1/usage").json()["classifiers"] == {"used": 1, "limit": 1}


def test_what_a_tenant_owns_is_limited_and_shown(keyed: Keyed) -> None:
    with keyed.client(keyed.key(tenant="owner")) as http:
        made = of_four(http, "mine")
        assert made.post("cat", picture(5)).status_code == 201
        before = http.get("/v1/usage").json()
        assert before["tenant"] == "owner"
        assert before["classes"] == {"used": 3, "limit": 3}
        assert before["images"] == {"used": 5, "limit": None}
        assert before["bytes"]["used"] == sum(len(picture(i)) for i in range(1, 6))
        refused = made.post("dog", picture(6))
        problem(refused, 403, "quota-exceeded", "4 classes", "may have 3", "/v1/usage")
        assert http.get("/v1/usage").json() == before
        assert made.post("cat", picture(6)).status_code == 201
        exported = http.get(f"{made.url}/export").content
        problem(
            http.put(
                "/v1/classifiers/again/import",
                content=exported,
                headers={"content-type": "application/zip"},
            ),
            403,
            "quota-exceeded",
        )
        assert http.delete(made.class_url("ant")).status_code == 204
        assert made.post("dog", picture(7)).status_code == 201


def test_a_service_without_keys_tells_its_use(http: httpx.Client) -> None:
    told = http.get("/v1/usage").json()
    assert told["tenant"] is None
    assert told["classifiers"]["limit"] is None
