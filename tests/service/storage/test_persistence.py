"""What was acknowledged survives SIGKILL; what was not is there whole or not at all."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, probabilities
from tests.service.pictures import picture, zipped
from tests.service.server import Server, run_handful

QUERIES = [picture(seed) for seed in (1, 500, 501)]


@dataclass(frozen=True)
class Killed:
    """What a service had told before it was killed."""

    data_dir: Path
    states: list[Json]
    answers: list[list[Json]]


NAMES = ("by-name", "insects", "meaningless", "of-itself")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Killed:
    """A service with four kinds of classifiers, killed the moment the last was acknowledged."""
    data_dir = tmp_path_factory.mktemp("killed")
    with Server.ready(data_dir, backbone=vit) as server, server.client() as http:
        by_name, insects, meaningless, auto = (Classifier(http, name) for name in NAMES)
        by_name.put(method="zero-shot", classes=["ant", "bee"], templates=["a drawing of {}"])
        meaningless.put(names_carry_meaning=False)
        meaningless.post("type 1", picture(1), picture(2))
        meaningless.post("type 2", picture(3), picture(4))
        insects.put(method="tip-adapter")
        insects.post("ant", picture(1), picture(2))
        gone = insects.post("ant", picture(3)).json()["images"][0]["id"]
        insects.http.delete(f"{insects.class_url('ant')}/images/{gone}")
        insects.post("wasp", picture(9))
        insects.http.delete(insects.class_url("wasp"))
        auto.put()
        auto.post("ant", *map(picture, range(3)))
        auto.post("bee", *map(picture, range(10, 13)))
        insects.post_zip(zipped({f"bee/{i}.png": picture(10 + i) for i in range(3)}))
        told = Killed(
            data_dir,
            [Classifier(http, name).state() for name in NAMES],
            [Classifier(http, name).predictions(*QUERIES, top_k=9, evidence=9) for name in NAMES],
        )
        last = Classifier(http, "the-last")
        last.put()
        acknowledged = last.post("fly", picture(20), picture(21))
        server.kill()
        assert acknowledged.status_code == 201
    return told


@pytest.fixture(scope="module")
def restarted(
    killed: Killed, vit: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A service on a copy of what the killed one left."""
    data_dir = tmp_path_factory.mktemp("restarted") / "data"
    shutil.copytree(killed.data_dir, data_dir)
    with Server.ready(data_dir, backbone=vit) as server:
        yield server


@pytest.fixture
def again(restarted: Server) -> Iterator[httpx.Client]:
    with restarted.client() as http:
        yield http


def test_what_was_acknowledged_last_is_there(again: httpx.Client) -> None:
    last = Classifier(again, "the-last")
    assert last.counts()["fly"] >= 2
    [answer] = last.predictions(picture(20), evidence=1)
    assert answer["evidence"][0]["similarity"] == pytest.approx(1, abs=1e-4)


def test_classifiers_are_as_they_were(killed: Killed, again: httpx.Client) -> None:
    listed = [one["name"] for one in again.get("/v1/classifiers").json()["classifiers"]]
    assert listed == sorted([*NAMES, "the-last"])
    assert [Classifier(again, name).state() for name in NAMES] == killed.states


def test_answers_are_as_they_were(killed: Killed, again: httpx.Client) -> None:
    for name, before in zip(NAMES, killed.answers, strict=True):
        after = Classifier(again, name).predictions(*QUERIES, top_k=9, evidence=9)
        for one, other in zip(after, before, strict=True):
            assert probabilities(one) == pytest.approx(probabilities(other), abs=1e-5)
            shown = {e["image_id"]: e["similarity"] for e in one["evidence"]}
            told = {e["image_id"]: e["similarity"] for e in other["evidence"]}
            assert shown == pytest.approx(told, abs=1e-5)


def test_images_come_back_byte_for_byte(killed: Killed, again: httpx.Client) -> None:
    meaningless = Classifier(again, "meaningless")
    images = meaningless.get_class("type 2").json()["images"]
    got = [
        again.get(f"{meaningless.class_url('type 2')}/images/{image['id']}").content
        for image in images
    ]
    assert got == [picture(3), picture(4)]


def test_a_restarted_service_takes_more(again: httpx.Client) -> None:
    last = Classifier(again, "the-last")
    told = last.post("fly", picture(20), picture(30)).json()
    assert [image["status"] for image in told["images"]] == ["duplicate", "created"]
    last.post("gnat", picture(31))
    assert last.counts() == {"fly": 3, "gnat": 1}


def test_another_backbone_is_refused_with_the_command_that_mends_it(
    killed: Killed, tiny_vit: Callable[[int], str], tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(killed.data_dir, data_dir)
    other = tiny_vit(1)
    ended = run_handful("serve", "--backbone", other, "--data-dir", str(data_dir), "--port", "0")
    assert ended.returncode == 1
    assert "embeddings of the backbone local-dir:" in ended.stderr
    assert f"handful re-embed --backbone {other}" in ended.stderr
    assert "Traceback" not in ended.stderr


ROUNDS = 3
IMAGES = 6


@pytest.mark.long
def test_killing_in_the_midst_of_registrations_leaves_no_half_class(
    tmp_path: Path, vit: str
) -> None:
    moments = Random(0)
    numbers = itertools.count()
    acknowledged: dict[str, list[str]] = {}
    sent: list[str] = []

    def check(classifier: Classifier) -> None:
        counts = classifier.counts()
        assert set(counts) <= set(sent)
        assert set(counts.values()) <= {IMAGES}
        for label, ids in acknowledged.items():
            images = classifier.get_class(label).json()["images"]
            assert [image["id"] for image in images] == ids
        totals = classifier.http.get(classifier.url).json()
        assert totals["n_classes"] == len(counts)
        assert totals["n_images"] == IMAGES * len(counts)
        [answer] = classifier.predictions(picture(0), top_k=1000, evidence=1)
        assert {ranked["label"] for ranked in answer["top_k"]} == set(counts)
        assert answer["evidence"][0]["similarity"] == pytest.approx(1, abs=1e-4)

    def register(classifier: Classifier, some: threading.Event) -> None:
        """Post classes for as long as the service lives."""
        for number in numbers:
            label = f"class {number}"
            sent.append(label)
            try:
                answer = classifier.post(
                    label, *(picture(number * IMAGES + i) for i in range(IMAGES))
                )
            except httpx.HTTPError:
                return
            assert answer.status_code == 201
            acknowledged[label] = [image["id"] for image in answer.json()["images"]]
            some.set()

    for _ in range(ROUNDS):
        with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
            classifier = Classifier(http, "survivor")
            if not sent:
                classifier.put()
            else:
                check(classifier)
            some = threading.Event()
            client = threading.Thread(target=register, args=(classifier, some))
            client.start()
            assert some.wait(60)
            time.sleep(moments.uniform(0, 0.3))
            server.kill()
            client.join(60)
            assert not client.is_alive()
    with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
        check(Classifier(http, "survivor"))
    assert len(acknowledged) >= ROUNDS
    assert len(sent) > len(acknowledged)  # so that there was something to leave half done


def test_a_classifier_tuned_by_an_older_version_is_tuned_anew_when_asked(
    killed: Killed, tmp_path: Path, vit: str
) -> None:
    data_dir = tmp_path / "data"
    shutil.copytree(killed.data_dir, data_dir)
    old = {"parameters": {"alpha": 1.0, "beta": 2.0}, "temperature": 1.0, "votes": 6}
    with closing(sqlite3.connect(data_dir / "handful.db")) as database, database:
        changed = database.execute(
            "UPDATE classifiers SET tuning = ? WHERE tuning IS NOT NULL",
            [json.dumps(old | {"accuracy": 0.5})],
        )
    assert changed.rowcount >= 3
    with Server.ready(data_dir, backbone=vit) as server, server.client() as http:
        again = [Classifier(http, name).predictions(*QUERIES, top_k=9) for name in NAMES]
        server.stop()
    for told, now in zip(killed.answers, again, strict=True):
        for before, after in zip(told, now, strict=True):
            assert after["known"] == before["known"]
            assert probabilities(after) == pytest.approx(probabilities(before), abs=1e-4)


@pytest.mark.parametrize(
    "damage",
    ["images_behind = 'many'", "tuning_since = 'then'", "tuning = '[]'", "templates = '3'"],
)
def test_a_damaged_classifier_is_listed_with_its_problem(
    restarted: Server, again: httpx.Client, damage: str
) -> None:
    database = sqlite3.connect(restarted.data_dir / "handful.db")
    with closing(database):
        [kept] = database.execute("SELECT * FROM classifiers WHERE name = 'insects'").fetchall()
        columns = [row[1] for row in database.execute("PRAGMA table_info(classifiers)")]
        with database:
            database.execute(f"UPDATE classifiers SET {damage} WHERE name = 'insects'")
        try:
            listed = again.get("/v1/classifiers").raise_for_status().json()["classifiers"]
        finally:
            with database:
                values = ", ".join(f"{column} = ?" for column in columns)
                database.execute(f"UPDATE classifiers SET {values} WHERE name = 'insects'", kept)
    problems = {one["name"]: one["problem"] for one in listed}
    assert "damaged" in problems.pop("insects")
    assert set(problems.values()) == {None}
