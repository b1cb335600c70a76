"""A service moves its database to another recipe while it is used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.service.client import Classifier
from tests.service.pictures import picture
from tests.service.re_embedding.moves import LABELS, begin, ended, filled, status, terms
from tests.service.server import Server

QUERIES = [picture(1000 + i) for i in range(4)]
# What similarity with itself loses by rounding within one recipe; between two it is ten times more.
ROUNDING = 3e-6


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory, vit: str) -> dict[str, list[list[float]]]:
    """What services answer that have one recipe from the start."""
    answers = {}
    for precision in ("float32", "bfloat16"):
        folder = tmp_path_factory.mktemp(precision)
        with (
            Server.ready(folder, backbone=vit, precision=precision) as server,
            server.client() as http,
        ):
            answers[precision] = terms(steady_one(http), *QUERIES)
            server.stop()
    return answers


def steady_one(http: httpx.Client) -> Classifier:
    """Of images alone: a move leaves names as they are (docs/precision.md)."""
    return filled(http, "steady", names_carry_meaning=False)


def distance(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def is_pure(found: list[list[float]], before: list[list[float]], after: list[list[float]]) -> bool:
    """Whether each answer is of one recipe, but for rounding, which batches lead to."""
    return all(
        min(distance(row, old), distance(row, new))
        <= 1e-4 * max(map(abs, row)) + 0.05 * distance(old, new)
        for row, old, new in zip(found, before, after, strict=True)
    )


def test_every_answer_is_of_one_recipe_while_queries_and_changes_go_on(
    tmp_path: Path, vit: str, pure: dict[str, list[list[float]]]
) -> None:
    with (
        Server.ready(tmp_path, backbone=vit, precision="float32") as server,
        server.client() as http,
    ):
        steady = steady_one(http)
        changing = filled(http, "changing", 30)
        begun = threading.Event()
        ends = threading.Event()
        acknowledged: set[str] = set()

        def ask() -> int:
            asked = 0
            while not ends.is_set():
                assert is_pure(terms(steady, *QUERIES), pure["float32"], pure["bfloat16"])
                asked += 1
            return asked

        def ask_for_itself() -> int:
            asked = 0
            while not ends.is_set():
                [answer] = changing.predictions(picture(asked % 30), evidence=1)
                assert answer["evidence"][0]["similarity"] > 1 - ROUNDING
                asked += 1
            return asked

        def change() -> int:
            made = 0
            while not ends.is_set():
                seed = 5000 + made
                answer = changing.post(LABELS[made % 3], picture(seed), picture(seed + 1))
                assert answer.status_code == 201, answer.text
                kept, gone = (one["id"] for one in answer.json()["images"])
                where = f"{changing.class_url(LABELS[made % 3])}/images/{gone}"
                assert http.delete(where).status_code == 204
                acknowledged.add(kept)
                made += 2
                begun.set()
            return made

        def make_others() -> int:
            made = 0
            while not ends.is_set():
                filled(http, f"other-{made}", 2)
                made += 1
            return made

        tasks: list[Callable[[], int]] = [ask, ask_for_itself, change, make_others]
        with ThreadPoolExecutor(len(tasks)) as threads:
            running = [threads.submit(task) for task in tasks]
            try:
                assert begun.wait(60)
                assert begin(http, "bfloat16")["precision"] == "bfloat16"
                last = ended(http)
            finally:
                ends.set()
            assert all(task.result() > 0 for task in running)
        assert (last["state"], last["precision"], last["error"]) == ("none", "bfloat16", None)
        assert last["classifiers"]["done"] == last["classifiers"]["all"] > 2
        held = {
            image["id"] for label in LABELS for image in changing.get_class(label).json()["images"]
        }
        assert acknowledged <= held
        assert len(held) == 90 + len(acknowledged)
        # As a service that was of the recipe from the start.
        found = terms(steady, *QUERIES)
        assert is_pure(found, pure["bfloat16"], pure["bfloat16"])
        server.stop()
        assert "Traceback" not in server.log.read_text()
    # Whatever is asked for, the database keeps its recipe; all is read as it was answered.
    with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
        assert status(http)["precision"] == "bfloat16"
        again = Classifier(http, "steady")
        assert is_pure(terms(again, *QUERIES), found, found)
        for seed in (0, 17, 5000):
            [answer] = Classifier(http, "changing").predictions(picture(seed), evidence=1)
            assert answer["evidence"][0]["similarity"] > 1 - ROUNDING
        server.stop()
        assert "Traceback" not in server.log.read_text()


def test_a_service_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, vit: str, pure: dict[str, list[list[float]]]
) -> None:
    """Killed again and again, at other moments each time, until it is through."""
    precision, wait = "float32", 0.1
    for attempt in range(4):
        with (
            Server.ready(tmp_path, backbone=vit, precision=precision, max_batch=1) as server,
            server.client() as http,
        ):
            if attempt == 0:
                steady_one(http)
                for i in range(4):
                    filled(http, f"more-{i}", 6, support_views=1 + i % 2)
                begin(http, "bfloat16")
            steady = Classifier(http, "steady")
            assert is_pure(terms(steady, *QUERIES), pure["float32"], pure["bfloat16"])
            threading.Event().wait(wait)
            wait += 0.2
            if status(http)["state"] == "none":
                break
            server.kill()
    with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
        last = ended(http)
        assert (last["state"], last["precision"]) == ("none", "bfloat16")
        assert last["images"]["done"] == last["images"]["all"] == 18
        steady = Classifier(http, "steady")
        assert is_pure(terms(steady, *QUERIES), pure["bfloat16"], pure["bfloat16"])
        for i in range(4):
            [answer] = Classifier(http, f"more-{i}").predictions(*QUERIES[:1])
            assert len(answer["top_k"]) == 3
        server.stop()


def test_a_move_that_is_cancelled_goes_back(
    tmp_path: Path, vit: str, pure: dict[str, list[list[float]]]
) -> None:
    with (
        Server.ready(tmp_path, backbone=vit, precision="float32", max_batch=1) as server,
        server.client() as http,
    ):
        steady = steady_one(http)
        for i in range(4):
            filled(http, f"more-{i}")
        begin(http, "bfloat16")
        other = http.post("/v1/re-embedding", json={"precision": "int8"})
        assert (other.status_code, other.json()["type"]) == (409, "re-embedding-under-way")
        assert http.delete("/v1/re-embedding").json()["precision"] == "float32"
        last = ended(http)
        assert (last["state"], last["precision"]) == ("none", "float32")
        assert is_pure(terms(steady, *QUERIES), pure["float32"], pure["float32"])
        # Nothing to cancel, and nothing to do.
        assert http.delete("/v1/re-embedding").json()["state"] == "none"
        assert begin(http, "float32")["state"] == "none"
        server.stop()


def test_images_that_were_not_kept_are_told_at_once(tmp_path: Path, vit: str) -> None:
    with (
        Server.ready(tmp_path, backbone=vit, precision="float32", store_images=False) as server,
        server.client() as http,
    ):
        filled(http, "steady", 2)
        refused = http.post("/v1/re-embedding", json={"precision": "bfloat16"})
        assert (refused.status_code, refused.json()["type"]) == (409, "cannot-re-embed")
        assert "6 support images were not kept" in refused.json()["detail"]
        assert status(http)["state"] == "none"
        server.stop()
