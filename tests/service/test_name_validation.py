"""Which names classifiers and classes may have."""

from __future__ import annotations

import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, problem
from tests.service.pictures import picture
from tests.service.server import Server

FINE = [
    "forest",
    "sea lake",
    "森林",
    "лес",
    "غابة",
    "👩‍🔬",
    "👩🏽‍🔬",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "🇩🇪",
    "1\ufe0f\u20e3",
    "\U0001fac8",  # newer than Python 3.11's Unicode
    "क्\u200dष",
    "می\u200cخواهم",
    "葛\U000e0100",
    "ा",
    "naïve café",
    "50% off?",
    "#1 & more",
    "a+b=c",
    "semi;colon",
    "'quoted\"",
    "images",
    "predict",
    "x" * 255,
]
BAD = [
    ("a/b", "slashes"),
    ("a\\b", "slashes"),
    (".", "folders"),
    ("..", "folders"),
    ("a\x00b", "U+0000"),
    ("a\tb", "U+0009"),
    ("a\u202eb", "U+202E"),
    ("\u200d", "U+200D"),
    ("a\u200db", "U+200D"),
    ("cat\u200c", "U+200C"),
    ("😀\u200d", "U+200D"),
    ("\u3164", "U+3164"),
    ("\u2800", "U+2800"),
    ("\ufe0f", "U+FE0F"),
    ("\u0301\u0302", "U+0301"),
    ("\U000e0067", "U+E0067"),
    ("a\u2066b", "U+2066"),
    ("a\u2028b", "U+2028"),
    ("\ue000", "U+E000"),
    ("\ufdd0", "U+FDD0"),
    ("a\u00adb", "U+00AD"),
    ("\x85a", "U+0085"),
    ("x" * 256, "256"),
    (" ", "1 to 255"),
]


@pytest.mark.parametrize("label", FINE)
def test_a_label_of_any_script_goes_round(classifier: Classifier, label: str) -> None:
    assert classifier.post(label, picture(1)).status_code == 201
    assert list(classifier.counts()) == [label]
    assert classifier.get_class(label).json()["label"] == label
    assert classifier.predictions(picture(1))[0]["label"] == label
    assert classifier.http.delete(classifier.class_url(label)).status_code == 204
    assert classifier.counts() == {}


@pytest.mark.parametrize(("label", "told"), BAD)
def test_a_bad_label_is_refused_wherever_it_is_used(
    classifier: Classifier, label: str, told: str
) -> None:
    classifier.post("fine", picture(0))
    before = classifier.state()
    http, url = classifier.http, classifier.class_url(label).replace("/.", "/%2E")
    url = url.replace("%2E.", "%2E%2E")
    requests = [
        http.post(f"{url}/images", files=[("f", picture(1))]),
        http.put(url),
        http.get(url),
        http.delete(url),
        http.get(f"{url}/images/{'0' * 32}"),
        http.delete(f"{url}/images/{'0' * 32}"),
        classifier.put(classes=[label]),
    ]
    for response in requests:
        problem(response, 422, "invalid-name", told)
    assert classifier.state() == before


OLD = ["\u200d", "\u3164", "a\u200db", "\u0301\u0302"]


def test_a_class_of_an_older_version_is_looked_at_and_deleted_whatever_its_label(
    tmp_path: Path, vit: str
) -> None:
    with Server.ready(tmp_path, backbone=vit) as running, running.client() as http:
        made = Classifier(http, "old")
        made.put(classes=["fine", *(f"class {i}" for i in range(len(OLD)))])
        ids = [made.post(f"class {i}", picture(i), picture(9)) for i in range(len(OLD))]
        running.stop()
    with closing(sqlite3.connect(tmp_path / "handful.db")) as database, database:
        for i, label in enumerate(OLD):
            database.execute("UPDATE classes SET label = ? WHERE label = ?", (label, f"class {i}"))
    with Server.ready(tmp_path, backbone=vit) as running, running.client() as http:
        made = Classifier(http, "old")
        assert made.counts() == {"fine": 0} | dict.fromkeys(OLD, 2)
        for i, label in enumerate(OLD):
            assert made.get_class(label).json()["n_images"] == 2
            image = f"{made.class_url(label)}/images/{ids[i].json()['images'][0]['id']}"
            assert http.get(image).content == picture(i)
            assert http.delete(image).status_code == 204
            problem(made.post(label, picture(20)), 422, "invalid-name")
            problem(http.put(made.class_url(label)), 422, "invalid-name")
            assert made.counts()[label] == 1
            assert http.delete(made.class_url(label)).status_code == 204
            problem(made.get_class(label), 422, "invalid-name")
        assert made.counts() == {"fine": 0}


def test_a_line_break_is_in_no_label(classifier: Classifier) -> None:
    problem(classifier.put(classes=["a\nb"]), 422, "invalid-name", "U+000A")
    assert classifier.post("a\nb", picture(1)).status_code in {404, 422}
    assert classifier.counts() == {}


def test_labels_that_look_the_same_are_one_class(classifier: Classifier) -> None:
    composed, decomposed = "Küste", unicodedata.normalize("NFD", "Küste")
    assert composed != decomposed
    classifier.post(composed, picture(1))
    [second] = classifier.post(decomposed, picture(2)).json()["images"]
    assert second["label"] == composed
    assert classifier.counts() == {composed: 2}
    assert classifier.get_class(decomposed).json()["n_images"] == 2


def test_spaces_around_a_label_do_not_count(classifier: Classifier) -> None:
    classifier.post(" sea lake ", picture(1))
    assert classifier.counts() == {"sea lake": 1}


def test_case_matters_in_labels(classifier: Classifier) -> None:
    classifier.put(classes=["Ant", "ant"])
    assert classifier.counts() == {"Ant": 0, "ant": 0}


def test_a_path_that_is_no_utf8_names_no_class(classifier: Classifier) -> None:
    response = classifier.http.post(
        f"{classifier.url}/classes/%FF/images", files=[("f", picture(1))]
    )
    problem(response, 422, "invalid-name")
    assert classifier.counts() == {}


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "9", "x" * 64])
def test_a_classifier_may_be_named(http: httpx.Client, name: str) -> None:
    assert http.put(f"/v1/classifiers/{name}").status_code == 201
    assert http.get(f"/v1/classifiers/{name}").json()["name"] == name


@pytest.mark.parametrize("name", ["%20", "a%20b", "-a", ".a", "x" * 65, "%C3%A4", "a%00", "a:b"])
def test_a_classifier_may_not_be_named(http: httpx.Client, name: str) -> None:
    before = http.get("/v1/classifiers").json()
    for response in (
        http.put(f"/v1/classifiers/{name}"),
        http.get(f"/v1/classifiers/{name}"),
        http.delete(f"/v1/classifiers/{name}"),
        http.post(f"/v1/classifiers/{name}/predict", files=[("f", picture(1))]),
        http.post(f"/v1/classifiers/{name}/support", files=[("f", ("a/b.png", picture(1)))]),
    ):
        problem(response, 422, "invalid-name", "1 to 64 letters")
    assert http.get("/v1/classifiers").json() == before
