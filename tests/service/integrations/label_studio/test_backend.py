"""The backend of a real service: it pre-annotates, and learns from annotations as they are told."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.api.test_keys import Keyed, made
from tests.service.client import Classifier, problem
from tests.service.integrations.label_studio.conftest import Backend
from tests.service.integrations.label_studio.stand_in import LEGACY, SEVERAL, jwt, label_studio
from tests.service.pictures import picture
from tests.service.server import Server

Make = Callable[..., Backend]


def test_it_is_well_and_says_its_revision(learning: Make) -> None:
    one = learning()
    assert one.http.get(f"{one.url}/health").json()["status"] == "UP"
    version = one.post("setup", one.there.setup()).json()["model_version"]
    assert version.startswith(f"{one.name}@0.")
    assert one.http.get(f"{one.url}/versions").json() == {"versions": [version]}
    one.tell(one.there.annotate(one.there.task(picture(1)), "ant"))
    one.settled()
    other = one.post("setup", one.there.setup()).json()["model_version"]
    assert other not in {version, learning().post("setup", {}).json()["model_version"]}
    for what in ("health", "versions", "status"):
        refused = one.http.get(f"/label-studio/nobody/{what}")
        assert (refused.status_code, refused.json()["type"]) == (404, "classifier-not-found")
        assert "error" in refused.json()


def test_annotations_are_learnt_and_tasks_are_pre_annotated(learning: Make) -> None:
    one = learning(names_carry_meaning=False)
    tasks = [one.there.task(picture(i), f"pic {i}.png") for i in range(6)]
    assert one.predict(*tasks) == [[]] * 6  # there is nothing to choose from
    for task, label in zip(tasks, ["ant", "bee", "ant", "bee"], strict=False):
        one.tell(one.there.annotate(task, label))
    assert one.counts() == {"ant": 2, "bee": 2}
    assert one.settled() | {"label_studio_url": ""} == {
        "classifier": one.name,
        "model_version": one.status()["model_version"],
        "label_studio_url": "",
        "learnt": 4,
        "waiting": 0,
        "failed": 0,
        "problems": [],
    }
    images = one.classifier.get_class("ant").json()["images"]
    assert {image["filename"][9:] for image in images} == {"pic 0.png", "pic 2.png"}
    results = one.predict(*tasks)
    version = one.status()["model_version"]
    for task, result in zip(tasks, results, strict=True):
        said = one.classifier.predictions(picture(tasks.index(task)))[0]
        assert result["score"] == pytest.approx(said["probability"], rel=1e-4)
        assert result["model_version"] == version
        region = {
            "from_name": "choice",
            "to_name": "image",
            "type": "choices",
            "value": {"choices": [said["label"]]},
        }
        assert result["result"] == ([region] if said["known"] else [])
    assert [one["result"][0]["value"]["choices"] for one in results[:2]] == [["ant"], ["bee"]]


def test_corrections_and_deletions_are_followed(learning: Make) -> None:
    one = learning()
    there = one.there
    tasks = [there.task(picture(i)) for i in range(4)]
    first, second, third = (there.annotate(task, "ant") for task in tasks[:3])
    one.tell(first, second, third)
    assert one.counts() == {"ant": 3}
    one.tell(there.change(first, "bee"))
    assert one.counts() == {"ant": 2, "bee": 1}
    one.tell(there.change(second, skipped=True))
    assert one.counts() == {"ant": 1, "bee": 1}
    one.tell(there.delete(first, third))
    assert one.counts() == {}
    one.tell(there.change(second, "fly"))
    assert one.counts() == {"fly": 1}
    one.tell(there.delete_task(tasks[1]))
    assert one.counts() == {}
    one.tell(second)  # late
    one.tell({"action": "PROJECT_UPDATED", "project": there.about()}, {"action": "WHATEVER"})
    assert one.counts() == {}
    assert set(one.classifier.counts()) == {"ant", "bee", "fly"}  # classes stay


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_webhooks_may_come_in_any_order_and_twice(learning: Make, seed: int) -> None:
    one, chance = learning(), random.Random(seed)
    there = one.there
    tasks = [there.task(picture(i)) for i in range(5)]
    webhooks = [there.annotate(task, "ant") for task in tasks]
    webhooks.append(there.change(webhooks[0], "bee"))
    webhooks.append(there.change(webhooks[0], "fly"))
    webhooks.append(there.delete(webhooks[1]))
    webhooks.append(there.change(webhooks[2], skipped=True))
    webhooks.append(there.delete_task(tasks[3]))
    sent = webhooks + chance.sample(webhooks, 5)
    chance.shuffle(sent)
    for webhook in sent:
        one.tell(webhook)
        if chance.random() < 0.3:
            one.settled()  # in the middle, too
    assert one.counts() == {"ant": 1, "fly": 1}


def test_an_image_stays_while_anybody_holds_it(learning: Make) -> None:
    one = learning()
    there = one.there
    assert one.classifier.post("ant", picture(1)).status_code == 201
    ours, theirs, twice = there.task(picture(2)), there.task(picture(1)), there.task(picture(2))
    by_ann, by_ben = there.annotate(ours, "ant"), there.annotate(ours, "ant")
    elsewhere, in_class = there.annotate(twice, "ant"), there.annotate(theirs, "ant")
    one.tell(by_ann, by_ben, elsewhere, in_class)
    assert one.counts() == {"ant": 2}
    one.tell(there.delete(by_ann), there.delete(in_class))
    assert one.counts() == {"ant": 2}  # of others, and of the classifier itself
    one.tell(there.change(by_ben, "bee"))
    assert one.counts() == {"ant": 2, "bee": 1}
    one.tell(there.delete(elsewhere))
    assert one.counts() == {"ant": 1, "bee": 1}
    # What somebody has removed and registered again is theirs.
    [image] = one.classifier.get_class("bee").json()["images"]
    assert one.http.delete(f"{one.classifier.class_url('bee')}/images/{image['id']}").is_success
    assert one.classifier.post("bee", picture(2)).status_code == 201
    one.tell(there.delete(by_ben))
    assert one.counts() == {"ant": 1, "bee": 1}


def test_images_of_several_labels(learning: Make) -> None:
    one = learning(multi_label=True, config=SEVERAL)
    there = one.there
    tasks = [there.task(picture(i)) for i in range(6)]
    webhooks = [there.annotate(task, "ant", "bee") for task in tasks[:3]]
    one.tell(*webhooks, there.annotate(tasks[3], "fly"))
    assert one.counts() == {"ant": 3, "bee": 3, "fly": 1}
    one.tell(there.change(webhooks[0], "bee", "fly"))
    assert one.counts() == {"ant": 2, "bee": 3, "fly": 2}
    for result, i in zip(one.predict(*tasks), range(6), strict=True):
        labels = one.classifier.predictions(picture(i))[0]["labels"]
        chosen = result["result"][0]["value"]["choices"] if result["result"] else []
        assert chosen == labels
    single = learning(config=SEVERAL)
    single.tell(single.there.annotate(single.there.task(picture(1)), "ant", "bee"))
    assert "multi_label" in single.settled()["problems"][0]["problem"]


def test_what_cannot_be_learnt_is_told_and_tried_again(learning: Make) -> None:
    one = learning(names_carry_meaning=False)
    there = one.there
    webhooks = [there.annotate(there.task(picture(i)), f"class {i}") for i in range(6)]
    broken = there.annotate(there.task(b"no image"), "class 1")
    gone = there.annotate(there.task_at("/data/upload/1/gone.png"), "class 1")
    named = there.annotate(there.task(picture(9)), "a/b")
    one.tell(*webhooks, broken, gone, named)
    status = one.settled()
    assert (status["learnt"], status["failed"]) == (4, 5)
    told = "\n".join(each["problem"] for each in status["problems"])
    for words in ("at most 4", "not an image", "HANDFUL_LABEL_STUDIO_URL", "cannot be a label"):
        assert words in told, told
    assert "cannot be learnt of" in one.server.log.read_text()
    assert one.predict({"id": 1, "data": {}}, {}, there.task(b"no"), "x") == [[]] * 4  # type: ignore[arg-type]
    one.tell(there.delete(*webhooks[:4]))
    one.counts()
    for label in ("class 0", "class 1"):
        assert one.http.delete(one.classifier.class_url(label)).is_success
    there.files["/data/upload/1/gone.png"] = picture(20)
    one.tell(there.train())
    assert one.counts() == {"class 4": 1, "class 5": 1}
    assert one.settled()["failed"] == 3  # one class too many, a label, and what is no image


def test_training_finds_what_webhooks_were_lost_of(learning: Make) -> None:
    one = learning()
    there = one.there
    tasks = [there.task(picture(i)) for i in range(120)]
    told, changed, gone = (there.annotate(task, "ant") for task in tasks[:3])
    one.tell(told, changed, gone)
    assert one.counts() == {"ant": 3}
    there.change(changed, "bee")
    there.delete(gone)
    there.annotate(tasks[110], "fly")
    one.tell(there.train())
    assert one.counts() == {"ant": 1, "bee": 1, "fly": 1}
    there.created_at = "2027-01-01T00:00:00Z"  # it was installed anew, and told nobody
    one.tell({**there.train(), "project": {**there.about(), "created_at": "2026-11-29T11:00:00Z"}})
    assert "installed anew" in one.settled()["problems"][0]["problem"]
    there.created_at = "2026-11-29T11:00:00.000001Z"
    assert one.counts() == {"ant": 1, "bee": 1, "fly": 1}


def test_a_killed_service_goes_on(tmp_path: Path, vit: str) -> None:
    with label_studio() as there:
        settings = {
            "backbone": vit,
            "integrations": "label-studio",
            "label_studio_url": there.url,
            "label_studio_token": jwt(exp=1),
            "fetch_seconds": 1,
        }
        there.credentials.clear()
        tasks = [there.task(picture(i)) for i in range(40)]
        with Server.ready(tmp_path, **settings) as server, server.client() as http:
            one = Backend(http, there, server)
            assert one.classifier.put(names_carry_meaning=False).status_code == 201
            webhooks = [
                there.annotate(task, "ant" if i % 2 else "bee") for i, task in enumerate(tasks)
            ]
            one.tell(*webhooks)
            server.kill()
        with Server.ready(tmp_path, **settings) as server, server.client() as http:
            again = Backend(http, there, server, one.name)
            assert again.counts() == {"ant": 20, "bee": 20}
            again.tell(there.delete(*webhooks[:10]))
            server.kill()
        with Server.ready(tmp_path, **settings) as server, server.client() as http:
            again = Backend(http, there, server, one.name)
            assert again.counts() == {"ant": 15, "bee": 15}
        assert there.refreshes >= 2  # of a personal access token, which is sent nowhere else
        sent = {field for path, field in there.asked if not path.startswith("/api/token")}
        assert sent <= there.credentials


def test_what_is_no_webhook_is_refused(learning: Make) -> None:
    one = learning()
    there = one.there
    webhook = there.annotate(there.task(picture(1)), "ant")
    about, annotation = there.about(), webhook["annotation"]
    bodies: tuple[Any, ...] = (
        [],
        {},
        {"action": "ANNOTATION_CREATED"},
        {"action": "ANNOTATIONS_DELETED", "project": {"id": "x"}},
        {"action": "ANNOTATIONS_DELETED", "project": about, "annotations": [{"id": 2**63}]},
        {"action": "ANNOTATIONS_DELETED", "project": about, "annotations": [{"id": -1}]},
        {**webhook, "annotation": "x"},
        {**webhook, "annotation": {**annotation, "id": 0}},
        {**webhook, "annotation": {**annotation, "updated_at": "yesterday"}},
        {**webhook, "project": {**about, "created_at": "0000"}},
    )
    for body in bodies:
        refused = one.post("webhook", body)
        assert refused.status_code == 422, body
        assert refused.json()["error"]
    assert one.http.post(f"{one.url}/webhook", content=b"[" * 100_000).status_code == 422
    assert one.http.post(f"{one.url}/predict", content=b"[1," * 50_001).status_code == 413
    for body in (
        {},
        {"tasks": [], "label_config": "<a/>"},
        {"tasks": 1, "label_config": there.config},
    ):
        assert one.post("predict", body).status_code == 422
    assert one.counts() == {}


def test_webhooks_are_as_large_as_any_json(learning: Make) -> None:
    one = learning()
    there = one.there
    gone = [{"id": n} for n in range(1, 1002)]
    many = {"action": "ANNOTATIONS_DELETED", "project": there.about(), "annotations": gone}
    problem(one.post("webhook", many), 413, "request-too-large", "1001", "Start Training")
    one.tell({**many, "annotations": gone[:1000]})
    marks = {**many, "annotations": [], "more": [0] * 100_000}
    problem(one.post("webhook", marks), 413, "request-too-large", "Start Training")
    large = json.dumps({**many, "annotations": [], "more": "x" * 2**20}).encode()
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
        sent = one.http.post(f"{one.url}/webhook", content=large, headers={"content-type": kind})
        problem(sent, 413, "request-too-large", "HANDFUL_MAX_JSON_BYTES")
    assert one.post("predict", {**there.asks(), "more": "x" * 2**20}).status_code == 200


def test_half_of_a_character_costs_its_own_task_alone(learning: Make) -> None:
    one = learning(names_carry_meaning=False)
    there = one.there
    well = there.task(picture(1))
    halves = [there.task_at(address) for address in ("s3://b/\ud800", "/\ud800", "data:,\ud800")]
    assert one.classifier.post("ant", picture(1)).status_code == 201
    results = one.predict(*halves, well)
    assert results[:3] == [[]] * 3
    assert results[3]["result"]
    one.tell(*[there.annotate(task, "ant") for task in halves], there.annotate(well, "bee"))
    status = one.settled()
    assert (status["learnt"], status["failed"]) == (1, 3)
    assert "lone surrogate" in status["problems"][0]["problem"]


def test_a_key_comes_as_the_password_of_the_url(tmp_path: Path, vit: str) -> None:
    operator = made(tmp_path, "--scopes", "admin")
    with (
        label_studio() as there,
        Server.ready(
            tmp_path,
            backbone=vit,
            auth="keys",
            integrations="label-studio",
            label_studio_url=there.url,
            label_studio_token=LEGACY,
            label_studio_tenant="lab",
        ) as server,
    ):
        keyed = Keyed(server, operator)
        others = keyed.key(scopes=["read", "predict", "write"], tenant="other")
        with keyed.client(others) as http:
            assert Classifier(http, "mine").put().status_code == 201
            for method, what in (("GET", "status"), ("POST", "predict"), ("POST", "webhook")):
                refused = http.request(method, f"/label-studio/mine/{what}", json={})
                problem(refused, 403, "not-allowed", "HANDFUL_LABEL_STUDIO_TENANT")
        key = keyed.key(scopes=["read", "predict", "write"], tenant="lab")
        reads = keyed.key(scopes=["read", "predict"], tenant="lab")
        with server.client() as http:
            http.auth = ("anybody", key)
            one = Backend(http, there, server)
            assert one.classifier.put().status_code == 201
            webhook = there.annotate(there.task(picture(1)), "ant")
            one.tell(webhook)
            assert one.counts() == {"ant": 1}
            http.auth = ("anybody", reads)
            assert one.post("webhook", webhook).status_code == 403
            assert one.post("setup", there.setup()).status_code == 200
            assert len(one.predict(next(iter(there.tasks.values())))) == 1
        rights = {"scopes": ["read", "predict", "write"], "tenant": "lab"}
        tasks = [there.task(picture(i)) for i in range(2, 6)]
        webhooks = [there.annotate(task, "bee") for task in tasks]
        with keyed.client(keyed.key(**rights, images_per_second=0.05)) as http:
            one = Backend(http, there, server, one.name)
            one.tell(webhooks[0], webhooks[0])  # the second time it is known, and counts no more
            problem(one.post("webhook", webhooks[1]), 429, "rate-limited", "images a second")
            assert one.counts() == {"ant": 1, "bee": 1}
        with keyed.client(keyed.key(**rights, images_per_second=0.3)) as http:
            one = Backend(http, there, server, one.name)
            one.tell(webhooks[1], there.train())  # which finds two more, for which it has to wait
            told: set[str] = set()
            while (status := one.status())["waiting"]:
                told |= {each["problem"] for each in status["problems"]}
                time.sleep(0.05)
            assert any("images a second" in each for each in told), told
            assert one.counts() == {"ant": 1, "bee": 4}
        with server.client() as http:
            for what in ("health", "status", "versions"):
                assert http.get(f"{one.url}/{what}").status_code == 401
        with keyed.client(keyed.key(scopes=["admin"], tenant="lab")) as admin:
            entries = admin.get("/v1/audit").json()["entries"]
            assert any("label-studio" in entry["details"].get("request", "") for entry in entries)
