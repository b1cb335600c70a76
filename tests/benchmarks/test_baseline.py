"""The naive server is a working classifier, or the comparison would be worth nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from benchmarks.photographs import encoded, photographs

CLASSES = ("astronaut", "brick", "coffee")
NUMBERS = (0, 4, 2)


@pytest.fixture(scope="module")
def naive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("support")
    for name, number in zip(CLASSES, NUMBERS, strict=True):
        (folder / name).mkdir()
        for shot in range(2):
            crop = photographs()[number].crop((shot * 40, 0, shot * 40 + 224, 224))
            Path(folder / name / f"{shot}.jpg").write_bytes(encoded(crop))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASELINE_SUPPORT", str(folder))
        app = importlib.import_module("benchmarks.baseline.app").app
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("path", ["/predict", "/predict-async"])
def test_it_tells_the_photographs_apart(naive: TestClient, path: str, both: bool) -> None:
    for name, number in zip(CLASSES, NUMBERS, strict=True):
        query = encoded(photographs()[number].crop((20, 30, 244, 254)))
        answer = naive.post(path, params={"both": both}, files={"file": query})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["label"] == name
        assert found["probabilities"].keys() == set(CLASSES)
        assert sum(found["probabilities"].values()) == pytest.approx(1)
