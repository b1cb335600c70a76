"""Answers of many rows: bounded, the same as in pieces, from one state, written beside the loop."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from adapters.shift import Shift
from service.api.large_json import FEW, large_json
from service.api.schemas.predictions import PredictionOut, PredictionsOut
from service.classifier_settings import ClassifierSettings
from service.presentation.shift import ShiftOut
from service.problems import AnswerTooLarge
from service.registry import live, query_batching
from service.registry.live import LiveClassifier
from service.registry.query_batching import Answering, check_rows
from service.registry.registry import Registry
from service.storage.engine import open_database
from tests.service.client import Classifier, problem
from tests.service.pictures import picture
from tests.service.registries import image, plain_store, registry

CLASSES = [f"class {i}" for i in range(50)]


@pytest.fixture
def made(tmp_path: Path, backbone: Backbone) -> Registry:
    """With a classifier ``a`` of fifty classes, all of which are in each prediction set."""
    store = plain_store(open_database(f"sqlite:///{tmp_path / 'handful.db'}"), backbone)
    made = registry(store, backbone, 10**9)
    made.put("a", ClassifierSettings(method="tip-adapter", coverage=0.9), CLASSES)
    made.add_images("a", [(CLASSES[i % 2], image(i)) for i in range(4)])
    return made


def queries(number: int) -> ImageEmbeddings:
    rows = torch.randn(2, number, 32, generator=torch.Generator().manual_seed(1))
    return ImageEmbeddings(normalize(rows[0], dim=1), normalize(rows[1], dim=1))


def asked(found: LiveClassifier, number: int, top_k: int = 3) -> Any:
    computing = Answering()
    try:
        return asyncio.run(computing.predict(found, queries(number), top_k, 2))
    finally:
        computing.close()


def test_blocks_answer_as_all_at_once(made: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made.live("a")
    whole = found.predict(queries(40), 3, 2)
    monkeypatch.setattr(found, "block", 7)
    for answers in (asked(found, 40), found.predict(queries(40), 3, 2)):
        assert [one.prediction_set for one in answers] == [one.prediction_set for one in whole]
        for got, expected in zip(answers, whole, strict=True):
            assert [r.label for r in got.top_k] == [r.label for r in expected.top_k]
            assert [e.image_id for e in got.evidence] == [e.image_id for e in expected.evidence]
            probabilities = [r.probability for r in expected.top_k]
            assert [r.probability for r in got.top_k] == pytest.approx(probabilities, abs=1e-6)


@pytest.mark.parametrize("changes", [1, 99])
def test_blocks_of_one_answer_come_from_one_state(
    made: Registry, monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    found = made.live("a")
    monkeypatch.setattr(found, "block", 7)
    predict, calls = found.predict, []

    def changed_meanwhile(*args: Any) -> Any:
        calls.append(args)
        answers = predict(*args)
        if len(calls) <= changes:
            made.add_images("a", [(CLASSES[5], image(100 + len(calls)))])
        monkeypatch.setattr(found, "block", 7)
        return answers

    monkeypatch.setattr(found, "predict", changed_meanwhile)
    answers = asked(found, 40)
    assert len(answers) == 40
    if changes == 1:
        assert len(calls) == 1 + 6
    else:  # three times in vain, and then all at once
        assert [len(args[0]) for args in calls] == [7, 7, 7, 40]


def test_prediction_sets_of_too_many_labels_are_refused(
    made: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made.live("a")
    total = sum(len(one.prediction_set) for one in asked(found, 40))
    assert total > 1000
    monkeypatch.setattr(query_batching, "MOST_ROWS", total - 1)
    with pytest.raises(AnswerTooLarge) as refused:
        asked(found, 40)
    assert "fewer images" in str(refused.value.detail)
    monkeypatch.setattr(query_batching, "MOST_ROWS", total)
    assert len(asked(found, 40)) == 40


def test_candidates_and_evidence_are_counted_as_far_as_there_are_any(made: Registry) -> None:
    found = made.live("a")
    check_rows(found, 1850, 1000, 100)  # 50 classes and 4 images
    with pytest.raises(AnswerTooLarge) as refused:
        check_rows(found, 2000, 1000, 100)
    assert "108000" in str(refused.value.detail)
    assert "top_k=46" in str(refused.value.detail)
    assert "1851 images" in str(refused.value.detail)
    check_rows(found, 2000, 46, 100)
    check_rows(found, 1851, 1000, 100)


def test_memory_for_scores_is_bounded_by_the_block(made: Registry) -> None:
    found = made.live("a")
    assert found.block == live._CELLS // (50 + 4)
    found.support = dict.fromkeys(range(10**7), next(iter(found.support.values())))
    found._measure()
    assert found.block == 1


def test_a_long_answer_is_what_a_short_one_would_be(made: Registry) -> None:
    predictions = made.live("a").predict(queries(FEW), 5, 3)
    threads: set[str] = set()

    def out(one: Any) -> Any:
        threads.add(threading.current_thread().name)
        return PredictionOut.model_validate(one)

    shift = ShiftOut.of(Shift(queries=20, mean_p_value=0.2, detected=True))
    fields = {"classifier": "a", "shift": shift}
    written = asyncio.run(large_json(fields, "predictions", predictions, out))
    short = PredictionsOut.model_validate({**fields, "predictions": predictions})
    assert written.body == short.model_dump_json().encode()
    assert threading.main_thread().name not in threads
    empty = asyncio.run(large_json({}, "classifiers", [], out))
    assert json.loads(bytes(empty.body)) == {"classifiers": []}


def test_an_answer_that_would_be_too_large_is_refused_before_it_is_computed(
    classifier: Classifier,
) -> None:
    many = [f"class {i}" for i in range(120)]
    assert classifier.put(classes=many).status_code == 200
    images = [picture(1)] * 900
    refused = classifier.predict(*images, top_k=1000)
    problem(refused, 422, "answer-too-large", "108000", "top_k=111", "833 images")


def test_a_long_answer_over_http_is_as_its_parts(classifier: Classifier) -> None:
    assert classifier.put(classes=[f"class {i}" for i in range(200)]).status_code == 200
    one = classifier.predictions(picture(1), top_k=200)[0]
    two = classifier.predictions(picture(1), picture(1), top_k=200)  # 400 rows
    for got in two:
        assert list(got) == list(one)
        assert {r["label"] for r in got["top_k"]} == {r["label"] for r in one["top_k"]}
        assert [r["probability"] for r in got["top_k"]] == pytest.approx(
            [r["probability"] for r in one["top_k"]], abs=1e-4
        )
