"""``handful evaluate`` and the service are two ways to the same answers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import conformal_clip_data
import httpx2 as httpx
import pytest

from service.evaluation.dataset import DatasetError, read_dataset
from tests.service.server import Server, run_handful

SHOTS, QUERIES = 4, 12


@pytest.fixture(scope="module")
def cloth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set that is hard: sound cloth, local and global defects."""
    folder = tmp_path_factory.mktemp("cloth")
    source = conformal_clip_data.textile_simulated_root()
    for label in ("nominal", "local", "global"):
        files = sorted((source / label).glob("*.jpg"))
        random.Random(label).shuffle(files)
        for split, chosen in (
            ("train", files[: SHOTS + 2]),
            ("test", files[SHOTS + 2 : SHOTS + 2 + QUERIES]),
        ):
            (folder / split / label).mkdir(parents=True)
            for file in chosen:
                (folder / split / label / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.mark.parametrize("method", ["zero-shot", "tip-adapter", "tip-adapter++"])
def test_http_answers_as_evaluate_does(
    server: Server, cloth: Path, tmp_path: Path, method: str
) -> None:
    report = tmp_path / "report.json"
    ran = run_handful(
        "evaluate", str(cloth), f"--shots={SHOTS}", "--seeds=1", f"--methods={method}",
        f"--json={report}",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    (result,) = json.loads(report.read_text())["results"]
    assert (result["method"], result["shots"], result["seed"]) == (method, SHOTS, 0)

    dataset = read_dataset(cloth)
    name = f"evaluated-{method.replace('+', 'p')}"
    with httpx.Client(base_url=f"{server.url}/v1", timeout=60) as client:
        client.put(
            f"/classifiers/{name}", json={"method": method, "classes": list(dataset.labels)}
        ).raise_for_status()
        files = [
            ("files", (f"{example.label}/{example.path.name}", example.path.read_bytes()))
            for example in dataset.draw(SHOTS, seed=0)
        ]
        client.post(f"/classifiers/{name}/support", files=files).raise_for_status()
        tuned = client.get(f"/classifiers/{name}").json()["tuning"]["parameters"]
        queries = [("files", (q.path.name, q.path.read_bytes())) for q in dataset.queries]
        answers = client.post(f"/classifiers/{name}/predict", files=queries).json()["predictions"]
    hits = [
        answer["label"] == query.label
        for answer, query in zip(answers, dataset.queries, strict=True)
    ]
    assert tuned == pytest.approx(result["parameters"], rel=1e-2)
    assert sum(hits) / len(hits) == pytest.approx(result["accuracy"])
    assert 0.2 < result["accuracy"] < 1.0  # hard enough for the two to differ, if they could


def test_draws_are_repeatable_and_nested(cloth: Path) -> None:
    dataset = read_dataset(cloth)
    assert dataset.draw(2, seed=1) == dataset.draw(2, seed=1)
    assert set(dataset.draw(2, seed=1)) < set(dataset.draw(4, seed=1))
    assert dataset.draw(4, seed=1) != dataset.draw(4, seed=2)
    assert len(dataset.draw(100, seed=0)) == 3 * (SHOTS + 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/folder"], "no folder"),
        (["{cloth}", "--shots=0"], "at least 1"),
        (["{cloth}", "--shots=four"], "at least 1"),
        (["{cloth}", "--methods=magic"], "no method 'magic'"),
        (["{cloth}", "--template=photo"], "no {} for the class name"),
        (["{cloth}", "--nameless", "--methods=zero-shot"], "carry meaning"),
    ],
)
def test_wrong_arguments_are_explained(cloth: Path, arguments: list[str], message: str) -> None:
    ran = run_handful(
        "evaluate", *(argument.replace("{cloth}", str(cloth)) for argument in arguments)
    )
    assert ran.returncode == 2
    plain = " ".join(ran.stderr.replace("│", " ").split())
    assert message in plain


def test_a_broken_image_is_named(cloth: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split / "a").mkdir(parents=True)
        (tmp_path / split / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a JPEG")
    ran = run_handful("evaluate", str(tmp_path), "--shots=1")
    assert ran.returncode == 1
    assert "broken.jpg" in ran.stderr


def test_a_test_class_that_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    for folder in ("train/a", "test/a", "test/b"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match="without training images: b"):
        read_dataset(tmp_path)
