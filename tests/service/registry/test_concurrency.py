"""Many requests at a time."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, probabilities, problem
from tests.service.pictures import patches, picture


class Readers:
    """Threads that ask the same again and again; their answers are kept."""

    def __init__(self, ask: Callable[[], Json], threads: int) -> None:
        self.answers: list[Json] = []
        self._ask = ask
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._running = [self._pool.submit(self._run) for _ in range(threads)]

    def _run(self) -> None:
        while not self._stop.is_set():
            self.answers.append(self._ask())

    def wait_for_more(self, number: int = 6) -> None:
        """Wait until this many more answers have come."""
        wanted = len(self.answers) + number
        while len(self.answers) < wanted:
            assert not any(one.done() for one in self._running), "a reader has failed"
            time.sleep(0.005)

    def stop(self) -> None:
        self._stop.set()
        for one in self._running:
            one.result(60)
        self._pool.shutdown()


@contextmanager
def asking(ask: Callable[[], Json], threads: int = 3) -> Iterator[Readers]:
    readers = Readers(ask, threads)
    try:
        yield readers
    finally:
        readers.stop()


def terms(answer: Json, name: str) -> dict[str, float]:
    return {ranked["label"]: ranked[name] for ranked in answer["top_k"]}


def test_answers_see_a_class_wholly_or_not_at_all(classifier: Classifier) -> None:
    classifier.post("brick", *patches("brick")[:2])
    classifier.post("grass", *patches("grass")[:2])
    query = patches("gravel")[9]

    def ask() -> Json:
        [answer] = classifier.predictions(query, top_k=1000, evidence=100)
        return answer

    def come() -> None:
        assert classifier.post("gravel", *patches("gravel")[:2]).status_code == 201

    def go() -> None:
        assert classifier.http.delete(classifier.class_url("gravel")).status_code == 204

    without = ask()
    come()
    with_gravel = ask()
    go()
    assert probabilities(with_gravel)["gravel"] > 0.5
    with asking(ask) as readers:
        for change in [come, go] * 3:
            readers.wait_for_more()
            change()
    seen = []
    for answer in readers.answers:
        state = with_gravel if "gravel" in probabilities(answer) else without
        seen.append(state is with_gravel)
        # Each coming is tuned anew, on embeddings that differ in their last digits.
        assert probabilities(answer) == pytest.approx(probabilities(state), abs=0.02)
        assert terms(answer, "zero_shot") == pytest.approx(terms(state, "zero_shot"), abs=1e-3)
        shown, told = answer["evidence"], state["evidence"]
        assert [one["label"] for one in shown] == [one["label"] for one in told]
        assert [one["similarity"] for one in shown] == pytest.approx(
            [one["similarity"] for one in told], abs=1e-4
        )
    assert set(seen) == {True, False}


def test_answers_see_one_method_or_the_other(classifier: Classifier) -> None:
    classifier.post("brick", *patches("brick")[:2])
    classifier.post("grass", *patches("grass")[:2])
    query = patches("brick")[9]

    def ask() -> Json:
        [answer] = classifier.predictions(query, top_k=10)
        return answer

    settings: list[Json] = [{"method": "zero-shot"}, {"names_carry_meaning": False}]
    expected = []
    for one in settings:
        classifier.put(**one)
        expected.append(ask())
    with asking(ask) as readers:
        for one in settings * 2:
            classifier.put(**one)
            readers.wait_for_more()
    seen = set()
    for answer in readers.answers:
        state = int(bool(answer["evidence"]))
        seen.add(state)
        assert probabilities(answer) == pytest.approx(probabilities(expected[state]), abs=0.02)
        missing, present = ("zero_shot", "cache") if state else ("cache", "zero_shot")
        assert set(terms(answer, missing).values()) == {0}
        assert 0 not in terms(answer, present).values()
    assert seen == {0, 1}


def test_listings_see_a_bulk_registration_wholly_or_not_at_all(classifier: Classifier) -> None:
    classifier.post("old", picture(0))
    bulk = {f"new {i}/{j}.png": picture(10 * i + j) for i in range(4) for j in range(3)}
    old = {"old": 1}
    whole = old | {f"new {i}": 3 for i in range(4)}

    with asking(classifier.counts) as readers:
        readers.wait_for_more()
        assert classifier.post_support(bulk).status_code == 201
        readers.wait_for_more()
    assert readers.answers[0] == old
    assert readers.answers[-1] == whole
    assert all(answer in (old, whole) for answer in readers.answers)


def batches(http: httpx.Client) -> tuple[float, float]:
    """Passes of the encoder until now, and images in them."""
    text = http.get("/metrics").text
    values = []
    for name in ("count", "sum"):
        found = re.search(rf"^handful_encoder_batch_size_{name} (\S+)$", text, re.MULTILINE)
        assert found
        values.append(float(found[1]))
    return values[0], values[1]


def test_concurrent_queries_share_passes_of_the_encoder(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    queries = 32
    passes, images = batches(classifier.http)
    together = threading.Barrier(queries)

    def ask(seed: int) -> int:
        together.wait()
        return classifier.predict(picture(seed)).status_code

    with ThreadPoolExecutor(queries) as threads:
        assert set(threads.map(ask, range(queries))) == {200}
    passes_after, images_after = batches(classifier.http)
    assert images_after - images == queries
    assert passes_after - passes <= queries / 2


@pytest.mark.alone
def test_the_service_stays_responsive_during_a_large_registration(
    classifier: Classifier, other: Classifier
) -> None:
    other.post("ant", picture(1))
    registration = threading.Thread(
        target=classifier.post, args=("large", *(picture(seed) for seed in range(100)))
    )
    registration.start()
    delays = []
    answered_meanwhile = 0
    while registration.is_alive():
        start = time.perf_counter()
        assert classifier.http.get("/healthz").status_code == 200
        delays.append(time.perf_counter() - start)
        if len(delays) % 10 == 5:
            other.predictions(picture(2))
            answered_meanwhile += registration.is_alive()
        time.sleep(0.01)
    assert classifier.counts() == {"large": 100}
    assert len(delays) >= 10
    assert sorted(delays)[int(0.95 * len(delays))] < 1
    assert answered_meanwhile >= 1


def test_the_same_image_at_the_same_time_is_one_image(classifier: Classifier) -> None:
    together = threading.Barrier(8)

    def register(_: int) -> Json:
        together.wait()
        answer = classifier.post("ant", picture(1), picture(2))
        assert answer.status_code == 201
        told: Json = answer.json()
        return told

    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(register, range(8)))
    assert sorted(one["created"] for one in told) == [0] * 7 + [2]
    assert len({tuple(image["id"] for image in one["images"]) for one in told}) == 1
    assert classifier.counts() == {"ant": 2}


def test_the_same_image_in_many_classifiers_at_the_same_time(http: httpx.Client) -> None:
    classifiers = [Classifier(http, f"crowd-{i}") for i in range(8)]
    together = threading.Barrier(8)

    def register(classifier: Classifier) -> list[int]:
        together.wait()
        statuses = [classifier.put().status_code]
        statuses.append(classifier.post("ant", picture(1), picture(7)).status_code)
        statuses.append(classifier.http.delete(classifier.class_url("ant")).status_code)
        statuses.append(classifier.post("bee", picture(1)).status_code)
        return statuses

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(register, classifiers)) == [[201, 201, 204, 201]] * 8
    for classifier in classifiers:
        assert classifier.counts() == {"bee": 1}
        [image] = classifier.get_class("bee").json()["images"]
        got = http.get(f"{classifier.class_url('bee')}/images/{image['id']}")
        assert got.content == picture(1)


def test_creating_a_classifier_at_the_same_time_creates_it_once(http: httpx.Client) -> None:
    together = threading.Barrier(8)

    def put(_: int) -> int:
        together.wait()
        return http.put("/v1/classifiers/contended").status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(put, range(8))) == [200] * 7 + [201]


def test_deleting_at_the_same_time_succeeds_once(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    together = threading.Barrier(6)

    def delete(_: int) -> httpx.Response:
        together.wait()
        return classifier.http.delete(classifier.url)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(delete, range(6)))
    assert sum(answer.status_code == 204 for answer in answers) == 1
    for answer in answers:
        if answer.status_code != 204:
            problem(answer, 404, "classifier-not-found")


def test_a_classifier_deleted_during_a_registration_takes_it_along(
    classifier: Classifier,
) -> None:
    """The registration is either acknowledged before the deletion or finds nothing there."""
    registering = ThreadPoolExecutor(1).submit(
        classifier.post, "ant", *(picture(seed) for seed in range(40))
    )
    time.sleep(0.2)
    assert classifier.http.delete(classifier.url).status_code == 204
    answer = registering.result(60)
    if answer.status_code != 201:
        problem(answer, 404, "classifier-not-found")
    problem(classifier.http.get(classifier.url), 404, "classifier-not-found")
    assert classifier.put().status_code == 201
    assert classifier.counts() == {}
