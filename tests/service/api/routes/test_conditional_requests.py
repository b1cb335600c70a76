"""ETag, If-Match and If-None-Match: of every state, on every change, whatever the tuning does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import pytest

from adapters.backbones import Backbone
from service.api.entity_tags import content_tag
from service.api.preconditions import Preconditions
from service.problems import PreconditionFailed
from service.storage.engine import open_database
from tests.service.client import Classifier, files, of_four, problem
from tests.service.pictures import picture
from tests.service.registries import fill, plain_store, registry
from tests.service.server import Server

Send = Callable[[Classifier, dict[str, str]], httpx.Response]


def tag(classifier: Classifier) -> str:
    found: str = classifier.http.get(classifier.url).headers["etag"]
    return found


def image_url(classifier: Classifier) -> str:
    image = classifier.get_class("ant").json()["images"][0]
    return f"{classifier.class_url('ant')}/images/{image['id']}"


CHANGES: dict[str, Send] = {
    "put": lambda c, h: c.http.put(c.url, json={"coverage": 0.9}, headers=h),
    "put class": lambda c, h: c.http.put(c.class_url("cat"), headers=h),
    "delete class": lambda c, h: c.http.delete(c.class_url("bee"), headers=h),
    "post images": lambda c, h: c.http.post(
        f"{c.class_url('ant')}/images", files=files(picture(9)), headers=h
    ),
    "post support": lambda c, h: c.http.post(
        f"{c.url}/support", files=[("files", ("ant/9.png", picture(9)))], headers=h
    ),
    "delete image": lambda c, h: c.http.delete(image_url(c), headers=h),
    "delete": lambda c, h: c.http.delete(c.url, headers=h),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_made_only_in_the_state_that_was_seen(spare: Server, change: str) -> None:
    with spare.client() as http:
        made = of_four(http, f"if-match-{change.replace(' ', '-')}")
        seen = tag(made)
        made.post("ant", picture(5)).raise_for_status()
        before = made.state()
        content = tag(made).rpartition(".")[0].rpartition(".")[0]
        problem(CHANGES[change](made, {"if-match": seen}), 412, "precondition-failed", content)
        assert made.state() == before
        several = f'"another", {tag(made)}'
        assert CHANGES[change](made, {"if-match": several}).is_success


def test_none_match_creates_and_never_changes(spare: Server) -> None:
    with spare.client() as http:
        made = Classifier(http, "created-once")
        only = {"if-none-match": "*"}
        assert http.put(made.url, headers=only).status_code == 201
        problem(
            http.put(made.url, json={"coverage": 0.5}, headers=only), 412, "precondition-failed"
        )
        assert http.get(made.url).json()["coverage"] is None
        problem(http.put(f"{made.url}x", headers={"if-match": "*"}), 412, "precondition-failed")
        assert http.put(made.url, headers={"if-match": "*"}).status_code == 200


def test_what_a_client_has_is_not_sent_again(spare: Server) -> None:
    with spare.client() as http:
        made = of_four(http, "not-modified")
        for url in (made.url, f"{made.url}/classes", made.class_url("ant"), image_url(made)):
            first = http.get(url)
            has = {"if-none-match": f'"x", W/{first.headers["etag"]}'}
            again = http.get(url, headers=has)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
        picture_of = http.get(image_url(made)).headers["etag"]
        classes = http.get(f"{made.url}/classes").headers["etag"]
        made.http.put(made.class_url("cat"))
        fresh = http.get(f"{made.url}/classes", headers={"if-none-match": classes})
        assert fresh.status_code == 200
        same = http.get(image_url(made), headers={"if-none-match": picture_of})
        assert same.status_code == 304


def test_a_tuning_that_comes_later_is_no_other_state_for_a_change(spare: Server) -> None:
    with spare.client() as http:
        made = of_four(http, "tuned-later")
        made.post("ant", *map(picture, range(100, 140))).raise_for_status()
        made.post("bee", picture(200)).raise_for_status()  # of so many, tuned later
        before = http.get(made.url)
        made.http.put(made.class_url("bee"), params={"wait": "tuned"}).raise_for_status()
        tuned = http.get(made.url, headers={"if-none-match": before.headers["etag"]})
        assert (tuned.status_code == 304) == (before.json()["tuning"]["state"] == "current")
        late = {"if-match": before.headers["etag"]}
        assert http.put(made.class_url("cat"), headers=late).status_code == 201


def test_a_classifier_of_the_same_name_is_another(spare: Server) -> None:
    with spare.client() as http:
        made = of_four(http, "made-again")
        seen = tag(made)
        http.delete(made.url)
        of_four(http, "made-again")
        problem(http.delete(made.url, headers={"if-match": seen}), 412, "precondition-failed")


@pytest.mark.parametrize("value", ["abc", '"a', '"a" "b"', "", "W/", '"a", *', '"' + "a" * 5000])
def test_what_is_no_list_of_tags_is_refused(spare: Server, value: str) -> None:
    with spare.client() as http:
        url = "/v1/classifiers/no-tags"
        problem(http.put(url, headers={"if-match": value}), 400, "invalid-precondition")
        assert http.get(url).status_code == 404


def test_of_many_who_saw_the_same_state_one_changes_it(spare: Server) -> None:
    with spare.client() as http:
        made = of_four(http, "raced-for")
        seen = {"if-match": tag(made)}
        answers: list[int] = []

        def change(number: int) -> None:
            with spare.client() as mine:
                answers.append(mine.put(made.class_url(f"c{number}"), headers=seen).status_code)

        threads = [threading.Thread(target=change, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [201] + [412] * 7
        assert len(made.counts()) == 3


def test_a_copy_is_of_the_state_that_was_seen(tmp_path: Path, backbone: Backbone) -> None:
    """Also where somebody changes the classifier after the first look at the precondition."""
    store = plain_store(open_database(f"sqlite:///{tmp_path / 'handful.db'}"), backbone)
    made = registry(store, backbone)
    fill(made, "a")
    seen = made.live("a").state
    asked = Preconditions.of("a", content_tag(seen), None)
    assert asked is not None
    copying = made.recording([replace(asked, classifier_id=seen.id)]).reshaping
    made.put_class("a", "another")
    with pytest.raises(PreconditionFailed):
        copying.copy("a", "b")
    assert store.find("b") is None
