"""Trained prompts of one classifier: uploaded, chosen, served beside others, changed, exported."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.learned_prompts import TEMPLATE, write_prompts
from tests.service.client import Classifier, probabilities
from tests.service.pictures import patches
from tests.service.server import Server
from tests.small_clip import write_small_clip

LABELS = ("brick", "grass", "gravel")
QUERIES = [patches(label)[-1] for label in LABELS]


@dataclass(frozen=True)
class Model:
    """A small CLIP, and files of prompts for it by their names."""

    name: str
    files: dict[str, Path]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("clip")
    name = write_small_clip(folder)
    shapes: dict[str, dict[str, int]] = {"one": {}, "two": {}, "deep": {"depth": 3, "length": 1}}
    files = {
        called: write_prompts(folder / f"{called}.safetensors", name, seed, **shape)
        for seed, (called, shape) in enumerate(shapes.items())
    }
    return Model(name, files)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def running(model: Model, data_dir: Path, database: str) -> Iterator[Server]:
    with Server.ready(data_dir, backbone=model.name, database_url=database) as server:
        yield server
        server.stop()
        assert "Traceback" not in server.log.read_text()


@pytest.fixture
def http(running: Server) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


def upload(http: httpx.Client, model: Model, name: str) -> httpx.Response:
    return http.put(f"/v1/prompts/{name}", content=model.files[name].read_bytes())


def taught(http: httpx.Client, name: str, **settings: object) -> Classifier:
    """A classifier with four images a class."""
    classifier = Classifier(http, name)
    assert classifier.put(method="auto", **settings).status_code == 201
    for label in LABELS:
        assert classifier.post(label, *patches(label)[:4]).status_code == 201
    return classifier


def answers(classifier: Classifier) -> dict[str, float]:
    """Probabilities of all labels for all queries."""
    return {
        f"{place} {label}": probability
        for place, one in enumerate(classifier.predictions(*QUERIES))
        for label, probability in probabilities(one).items()
    }


def expected_of(model: Model, folder: Path, prompts: str | None) -> dict[str, float]:
    """What a service answers that was started with prompts for all classifiers."""
    given = {} if prompts is None else {"prompts": model.files[prompts]}
    with Server.ready(folder, backbone=model.name, **given) as server, server.client() as http:
        return answers(taught(http, "all"))


@pytest.fixture(scope="module")
def expected(
    model: Model, tmp_path_factory: pytest.TempPathFactory
) -> dict[str | None, dict[str, float]]:
    folder = tmp_path_factory.mktemp("all")
    return {one: expected_of(model, folder / str(one), one) for one in (None, "one", "two")}


def test_a_prompted_classifier_answers_as_a_service_with_these_prompts(
    running: Server, http: httpx.Client, model: Model, expected: Any, data_dir: Path, database: str
) -> None:
    for name in ("one", "two"):
        made = upload(http, model, name)
        assert made.status_code == 201, made.text
    assert made.json()["template"] == TEMPLATE
    chosen = {"plain": None, "first": "one", "second": "two"}
    made_of = {
        name: taught(
            http, name, prompts=prompts, templates=["a drawing of {}"] * (prompts is not None)
        )
        for name, prompts in chosen.items()
    }
    for name, classifier in made_of.items():
        assert answers(classifier) == pytest.approx(expected[chosen[name]], abs=1e-5)
    assert expected["one"] != pytest.approx(expected["two"], abs=1e-3)
    # All at once they share passes, and none changes what another is answered.
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda name: (name, answers(made_of[name])), [*chosen] * 8))
    for name, found in together:
        assert found == pytest.approx(expected[chosen[name]], abs=1e-5)
    running.kill()
    with Server.ready(data_dir, backbone=model.name, database_url=database) as again:
        with again.client() as later:
            for name, prompts in chosen.items():
                found = answers(Classifier(later, name))
                assert found == pytest.approx(expected[prompts], abs=1e-5)
        again.stop()
