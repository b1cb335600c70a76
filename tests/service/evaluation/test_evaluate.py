"""``handful evaluate`` and the service are two ways to the same answers."""

from __future__ import annotations

import csv
import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import conformal_clip_data
import httpx2 as httpx
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import handful
from adapters.backbones.support_views import MOST_VIEWS
from adapters.heads import HEADS
from service.cli import app
from service.datasets.dataset import DatasetError, read_dataset
from service.evaluation.suggested_draws import pool
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


def invoke(*arguments: str) -> Result:
    """``handful evaluate`` in this process, where the imports are done already."""
    return CliRunner().invoke(app, ["evaluate", *arguments])


METHODS = ("zero-shot", "tip-adapter", "tip-adapter++", "tip-x++", "ape", "gda++", "auto")


@pytest.fixture(scope="module")
def evaluated(cloth: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What ``handful evaluate`` says of each method with the default backbone."""
    folder = tmp_path_factory.mktemp("evaluated")
    ran = run_handful(
        "evaluate", str(cloth), f"--shots={SHOTS}", "--seeds=1", f"--methods={','.join(METHODS)}",
        f"--out={folder}", "--no-cache",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    results = json.loads((folder / "results.json").read_text())["results"]
    assert [(r["method"], r["shots"], r["seed"]) for r in results] == [
        (method, SHOTS, 0) for method in METHODS
    ]
    return {result["method"]: result for result in results}


@pytest.mark.parametrize("method", METHODS)
def test_evaluate_has_the_accuracy_of_the_http_service(
    server: Server, cloth: Path, evaluated: dict[str, dict[str, Any]], method: str
) -> None:
    result = evaluated[method]
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


def test_draws_are_deterministic_and_nested(cloth: Path) -> None:
    dataset = read_dataset(cloth)
    assert dataset.draw(2, seed=1) == dataset.draw(2, seed=1)
    assert set(dataset.draw(2, seed=1)) < set(dataset.draw(4, seed=1))
    assert dataset.draw(4, seed=1) != dataset.draw(4, seed=2)
    assert len(dataset.draw(100, seed=0)) == 3 * (SHOTS + 2)


def test_evaluate_writes_all_metrics_and_reuses_features(
    cloth: Path, vit: str, tmp_path: Path
) -> None:
    def run(out: Path) -> tuple[str, str]:
        ran = invoke(
            str(cloth), "--shots=1,3", "--seeds=2", "--nameless", "--coverage=0.8",
            "--leave-classes-out=0.3", f"--out={out}", f"--cache={tmp_path / 'cache'}",
            f"--backbone={vit}",
        )  # fmt: skip
        assert ran.exit_code == 0, ran.output
        return ran.stdout, " ".join(ran.stderr.split())

    table, progress = run(tmp_path / "first")
    n_embedded = int(progress.split(" images embedded")[0].split()[-1])
    assert n_embedded > 3 * QUERIES
    methods = [method for method in HEADS if method != "zero-shot"]
    assert f", 0 taken from the cache, {4 * len(methods)} heads fitted" in progress
    assert {path.name for path in (tmp_path / "first").iterdir()} == {
        "results.json", "results.csv", "accuracy.png", "reliability.png",
    }  # fmt: skip
    for name in ("accuracy.png", "reliability.png"):
        with Image.open(tmp_path / "first" / name) as picture:
            picture.load()
            assert min(picture.size) > 600
            assert len(set(picture.convert("L").tobytes())) > 50

    document = json.loads((tmp_path / "first" / "results.json").read_text())
    with (tmp_path / "first" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["method"], r["shots"], r["seed"]) for r in rows] == [
        (method, str(k), str(seed)) for k in (1, 3) for seed in (0, 1) for method in methods
    ]
    for row, result in zip(rows, document["results"], strict=True):
        # One of three classes is left out.
        assert (result["classes"], result["queries"], result["unknown_queries"]) == (2, 24, 12)
        assert float(row["accuracy"]) == result["accuracy"]
        assert 0 <= result["ece"] <= 1
        assert float(row["cross_entropy"]) == result["cross_entropy"] > 0
        assert 0 <= result["coverage"] <= 1
        assert 0 <= result["set_size"] <= 2
        if result["shots"] == 1:
            assert row["auroc"] == ""
            assert result["auroc"] is None
        else:
            assert 0 <= result["auroc"] <= 1
            assert 0 <= result["rejected_known"] <= 1
    pair = [r for r in document["results"] if (r["method"], r["shots"]) == ("auto", 3)]
    (summed,) = [s for s in document["summary"] if (s["method"], s["shots"]) == ("auto", 3)]
    low, high = sorted(result["accuracy"] for result in pair)
    assert summed["accuracy"]["mean"] == pytest.approx((low + high) / 2)
    # The t quantile for one degree of freedom is tan(0.475 π).
    half = math.tan(0.475 * math.pi) * (high - low) / 2
    assert summed["accuracy"]["half_width"] == pytest.approx(half)
    assert f"{100 * (low + high) / 2:.1f} ± {100 * half:.1f}" in table
    assert max(map(len, table.splitlines())) <= 80
    error, together = 100 * summed["ece"]["mean"], 100 * summed["pooled_ece"]
    assert 0 <= together <= error + 1e-6
    assert f"{error:.1f} / {together:.1f}" in table
    assert f"{summed['cross_entropy']['mean']:.2f}" in table
    for word in (
        "calibration error",
        "cross-entropy",
        "prediction sets",
        "AUROC",
        "unknown rejected",
        "–",
    ):
        assert word in table

    again, progress = run(tmp_path / "second")
    assert f"0 images embedded, {n_embedded} taken from the cache" in progress
    assert again == table
    for name in ("results.json", "results.csv"):
        first, second = (tmp_path / run / name for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_evaluate_takes_queries_from_another_data_set(
    cloth: Path, vit: str, tmp_path: Path
) -> None:
    # The other set's test images are this one's training images, all of them: with as many shots
    # every query is in the support set. It lacks a class, and has no training images.
    other = tmp_path / "elsewhere"
    for label in ("nominal", "local"):
        shutil.copytree(cloth / "train" / label, other / "test" / label)
    dataset = read_dataset(cloth, other)
    assert dataset.labels == ("global", "local", "nominal")
    assert {query.label for query in dataset.queries} == {"local", "nominal"}
    assert all(other in query.path.parents for query in dataset.queries)
    assert all(cloth in example.path.parents for example in dataset.draw(4, seed=0))

    ran = invoke(
        str(cloth), f"--queries-from={other}", f"--shots={SHOTS + 2}", "--seeds=2",
        "--methods=gda++", f"--out={tmp_path / 'out'}", "--no-cache", f"--backbone={vit}",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (document["dataset"], document["queries_from"]) == (cloth.name, "elsewhere")
    assert document["queries"] == 2 * (SHOTS + 2)
    assert document["results"][0]["accuracy"] > 0.9
    assert "queries from elsewhere" in ran.stdout
    assert "every draw takes all training images" in " ".join(ran.stdout.split())
    # A copy of a file is embedded once.
    assert f"{3 * (SHOTS + 2)} images embedded" in " ".join(ran.stderr.split())


def test_queries_of_unknown_classes_are_refused(cloth: Path, tmp_path: Path) -> None:
    for label in ("nominal", "velvet", "denim"):
        (tmp_path / "test" / label).mkdir(parents=True)
        (tmp_path / "test" / label / "x.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"without training images: denim, velvet.*take these"):
        read_dataset(cloth, tmp_path)
    with pytest.raises(DatasetError, match=r"no folder .*nowhere/test"):
        read_dataset(cloth, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/folder"], "no folder"),
        (["{cloth}", "--shots=0"], "at least 1"),
        (["{cloth}", "--shots=four"], "at least 1"),
        (["{cloth}", "--methods=magic"], "no method 'magic'"),
        (["{cloth}", "--template=photo"], "no {} for the class name"),
        (["{cloth}", "--nameless", "--methods=zero-shot"], "carry meaning"),
        (["{cloth}", "--coverage=90"], "--coverage takes a share between 0 and 1, as 0.5; not 90"),
        (["{cloth}", "--leave-classes-out=1"], "--leave-classes-out takes a share between 0 and 1"),
        (["{cloth}", "--cache=x", "--no-cache"], "give one of them"),
        (["{cloth}", "--out=/dev/null/x"], "name another folder with --out"),
        (["{cloth}", "--queries-from=no/such/folder"], "no folder no/such/folder/test"),
    ],
)
def test_command_exits_with_2_for_wrong_arguments(
    cloth: Path, arguments: list[str], message: str
) -> None:
    ran = invoke(*(argument.replace("{cloth}", str(cloth)) for argument in arguments))
    assert ran.exit_code == 2
    plain = " ".join(ran.stderr.replace("│", " ").split())
    assert message in plain


def test_evaluate_names_the_broken_image(cloth: Path, vit: str, tmp_path: Path) -> None:
    shutil.copytree(cloth, tmp_path, dirs_exist_ok=True)
    (tmp_path / "test" / "local" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a JPEG")
    ran = invoke(str(tmp_path), "--shots=1", "--no-cache", f"--backbone={vit}")
    assert ran.exit_code == 1
    assert "broken.jpg" in ran.stderr
    assert "Replace or remove this file" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_evaluate_exits_with_2_when_too_few_classes_can_be_held_out(
    cloth: Path, vit: str, tmp_path: Path
) -> None:
    for split in ("train", "test"):
        for label in ("local", "nominal"):
            shutil.copytree(cloth / split / label, tmp_path / split / label)
    ran = invoke(str(tmp_path), "--leave-classes-out=0.5", "--no-cache", f"--backbone={vit}")
    assert ran.exit_code == 2
    plain = " ".join(ran.stderr.replace("│", " ").split())
    assert "at least three classes" in plain
    assert "Add classes" in plain


def test_data_set_with_one_class_is_refused(tmp_path: Path) -> None:
    for folder in ("train/a", "test/a"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match="one class only; add"):
        read_dataset(tmp_path)


def test_test_class_without_training_images_is_refused(tmp_path: Path) -> None:
    for folder in ("train/a", "test/a", "test/b"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match="without training images: b"):
        read_dataset(tmp_path)


def test_support_views_are_those_of_the_python_api(cloth: Path, tmp_path: Path) -> None:
    ran = invoke(
        str(cloth), f"--shots={SHOTS}", "--seeds=1", "--methods=tip-adapter++",
        "--support-views=3", f"--out={tmp_path / 'out'}", f"--cache={tmp_path / 'cache'}",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert f"{3 * (SHOTS + QUERIES)} images embedded" in ran.output
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert told["protocol"]["support_views"] == 3
    dataset = read_dataset(cloth)
    drawn, queries = dataset.draw(SHOTS, 0), dataset.queries
    settings = handful.ClassifierSettings(method="tip-adapter++", support_views=3)
    fitted = handful.Classifier(handful.load_backbone(device="cpu"), settings).fit(
        [one.path for one in drawn],
        [one.label for one in drawn],
        class_names=dataset.labels,
    )
    right = [
        label == one.label
        for label, one in zip(fitted.predict([q.path for q in queries]), queries, strict=True)
    ]
    accuracy = told["results"][0]["accuracy"]
    assert accuracy == pytest.approx(sum(right) / len(right), abs=1.01 / len(right))


def test_support_images_are_those_that_are_suggested(cloth: Path, vit: str, tmp_path: Path) -> None:
    ran = invoke(
        str(cloth), "--shots=1,2", "--seeds=2", "--methods=gda++", "--suggested",
        f"--out={tmp_path / 'out'}", f"--cache={tmp_path / 'cache'}", f"--backbone={vit}",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["protocol"]["suggested"] is True
    assert len(document["results"]) == 4
    assert f"{cloth.name}, 3 classes, suggested support images" in ran.stdout
    # All that is chosen from: more than the two images a class that are drawn.
    dataset = read_dataset(cloth)
    pools = {example.path for seed in (0, 1) for example in pool(dataset, seed)}
    assert f"{len(pools) + 3 * QUERIES} images embedded" in " ".join(ran.stderr.split())


def test_negatives_have_views_as_the_classes_do(cloth: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(cloth, tmp_path / "cloth")
    for split in ("train", "test"):
        (folder / split / "local").rename(folder / split / "not-these")
    ran = invoke(
        str(folder), "--shots=2", "--seeds=1", "--methods=gda++", "--support-views=2",
        f"--out={tmp_path / 'out'}", "--no-cache",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert told["results"][0]["unknown_queries"] == QUERIES


def test_as_many_views_are_taken_as_a_classifier_may_have() -> None:
    for views in (0, MOST_VIEWS + 1):
        assert invoke("nowhere", f"--support-views={views}").exit_code == 2
        assert f"1<=x<={MOST_VIEWS}" in invoke("nowhere", f"--support-views={views}").output
