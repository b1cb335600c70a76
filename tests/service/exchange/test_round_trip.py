"""A classifier goes into a file and comes back as it was, by HTTP and by command."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import httpx2 as httpx
import numpy as np
import pytest
from safetensors.torch import load

from service.api.routes.exchange import FILE_TYPE
from tests.service.client import Classifier, Json, problem
from tests.service.pictures import picture
from tests.service.server import Server, run_handful

QUERIES = [picture(seed) for seed in (1, 500, 501)]
ZIP = {"content-type": FILE_TYPE}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Server]:
    """A service that has read its classifier from the database, as an import is read."""
    data_dir = tmp_path_factory.mktemp("exporting")
    with Server.ready(data_dir, backbone=vit) as first, first.client() as http:
        made = Classifier(http, "insects")
        made.put(coverage=0.9, templates=["a drawing of {}", "{}"]).raise_for_status()
        made.post("ant", *map(picture, range(4))).raise_for_status()
        made.post("bee", *map(picture, range(10, 14))).raise_for_status()
        made.post("Ameise №1 🐜", picture(1)).raise_for_status()  # of two classes
        http.put(made.class_url("by name alone")).raise_for_status()
        first.stop()
    with Server.ready(data_dir, backbone=vit) as running:
        yield running
        running.stop()
        assert "Traceback" not in running.log.read_text()


@pytest.fixture(scope="module")
def there(service: Server) -> Iterator[httpx.Client]:
    with service.client() as http:
        yield http


@pytest.fixture(scope="module")
def insects(there: httpx.Client) -> Classifier:
    return Classifier(there, "insects")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[httpx.Client]:
    """Another service with the same backbone."""
    with (
        Server.ready(tmp_path_factory.mktemp("importing"), backbone=vit) as running,
        running.client() as http,
    ):
        yield http
        running.stop()
        assert "Traceback" not in running.log.read_text()


def export(classifier: Classifier, **parameters: bool) -> bytes:
    answer = classifier.http.get(f"{classifier.url}/export", params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == FILE_TYPE
    disposition = f'attachment; filename="{classifier.name}.zip"'
    assert answer.headers["content-disposition"] == disposition
    return answer.content


def put_file(http: httpx.Client, name: str, file: bytes) -> httpx.Response:
    return http.put(f"/v1/classifiers/{name}/import", content=file, headers=ZIP)


def members(file: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def shown(classifier: Classifier) -> Json:
    """All that can be looked at, but for what is of the place alone."""
    state = classifier.state()
    for one in (state["classifier"], *state["classes"]):
        for own in ("name", "classifier", "created_at", "updated_at"):
            one.pop(own, None)
    return state


def answers(classifier: Classifier) -> list[Json]:
    """Bit for bit, each query alone: how many are computed together decides the last bit."""
    return [classifier.predictions(query, top_k=9, evidence=9)[0] for query in QUERIES]


def test_a_classifier_comes_back_bit_for_bit(insects: Classifier, elsewhere: httpx.Client) -> None:
    made = put_file(elsewhere, "insects", export(insects))
    assert made.status_code == 201, made.text
    assert made.json()["name"] == "insects"
    copy = Classifier(elsewhere, "insects")
    assert shown(copy) == shown(insects)  # ids of images and their times included
    assert answers(copy) == answers(insects)
    for label in ("ant", "Ameise №1 🐜"):
        for image in copy.get_class(label).json()["images"]:
            address = f"classes/{label}/images/{image['id']}"
            [one, other] = [c.http.get(f"{c.url}/{address}") for c in (copy, insects)]
            assert one.content == other.content
            assert one.headers["content-type"] == other.headers["content-type"]
    assert members(export(copy)) == members(export(insects))


def test_the_same_classifier_is_the_same_file(insects: Classifier) -> None:
    assert export(insects) == export(insects)


def test_a_file_holds_what_its_description_says(insects: Classifier) -> None:
    held = members(export(insects))
    document = json.loads(held["classifier.json"])
    assert document["format"] == "handful-classifier-2"
    assert (document["n_classes"], document["n_images"]) == (4, 9)
    assert document["settings"]["coverage"] == 0.9
    assert document["tuning"] == {
        **document["tuning"],
        **{
            k: v
            for k, v in insects.http.get(insects.url).json()["tuning"].items()
            if k in ("temperature", "votes")
        },
    }
    images = [json.loads(line) for line in held["images.jsonl"].splitlines()]
    assert [image["label"] for image in images] == ["ant"] * 4 + ["bee"] * 4 + ["Ameise №1 🐜"]
    for image in images:
        assert len(held[f"images/{image['sha256']}"]) == image["nbytes"]
    assert len(held) == 4 + 8
    tensors = load(held["embeddings.safetensors"])
    assert tensors["frozen"].shape == (9, 32)
    assert tensors["texts"].shape[0] == 4
    assert tensors["labels"].tolist() == [0] * 4 + [1] * 4 + [2]


def test_without_images_the_same_backbone_takes_it(
    insects: Classifier, elsewhere: httpx.Client
) -> None:
    file = export(insects, images=False)
    assert not [name for name in members(file) if name.startswith("images/")]
    copy = Classifier(elsewhere, "no-images")
    assert put_file(elsewhere, copy.name, file).status_code == 201
    assert answers_of_labels(copy) == answers_of_labels(insects)


def answers_of_labels(classifier: Classifier) -> list[Json]:
    """Without ids, which are new where the ones of the file are taken."""
    given = answers(classifier)
    for answer in given:
        for one in answer["evidence"]:
            del one["image_id"]
    return given


def test_a_copy_in_the_same_database_has_ids_of_its_own(insects: Classifier) -> None:
    copy = Classifier(insects.http, "copy")
    assert put_file(copy.http, copy.name, export(insects)).status_code == 201
    assert answers_of_labels(copy) == answers_of_labels(insects)

    def ids(classifier: Classifier) -> set[str]:
        return {image["id"] for image in classifier.get_class("ant").json()["images"]}

    assert not ids(copy) & ids(insects)
    copy.http.delete(copy.url)
    assert answers(insects)  # what both used stays


def test_an_import_that_is_sent_again_is_answered_as_the_first(
    insects: Classifier, elsewhere: httpx.Client
) -> None:
    file = export(insects)
    assert put_file(elsewhere, "again", file).status_code == 201
    again = Classifier(elsewhere, "again")
    state = again.state()
    assert put_file(elsewhere, "again", file).status_code == 200
    assert again.state() == state
    again.post("wasp", picture(99))
    state = again.state()
    refused = put_file(elsewhere, "again", file)
    problem(refused, 409, "classifier-exists", "'again'", "another name")
    assert again.state() == state


@pytest.mark.parametrize("settings", [{}, {"names_carry_meaning": False}, {"method": "zero-shot"}])
def test_empty_classifiers_and_those_without_names_go_there_and_back(
    there: httpx.Client, elsewhere: httpx.Client, settings: dict[str, object]
) -> None:
    name = f"small-{len(json.dumps(settings))}"
    for step in ("empty", "with classes", "with images"):
        made = Classifier(there, name)
        made.put(**settings, classes=[] if step == "empty" else ["ant", "bee"]).raise_for_status()
        if step == "with images":
            made.post("bee", picture(1)).raise_for_status()
        made_there = put_file(elsewhere, name, export(made))
        assert made_there.status_code == 201, made_there.text
        copy = Classifier(elsewhere, name)
        assert shown(copy) == shown(made)
        copy.http.delete(copy.url)
        made.http.delete(made.url)


def test_the_faiss_index_has_the_keys_under_their_ids(insects: Classifier, tmp_path: Path) -> None:
    answer = insects.http.get(f"{insects.url}/export.faiss.zip")
    assert answer.status_code == 200
    held = members(answer.content)
    assert set(held) == {"index.faiss", "labels.json"}
    (tmp_path / "index.faiss").write_bytes(held["index.faiss"])
    index = faiss.read_index(str(tmp_path / "index.faiss"))
    labels = json.loads(held["labels.json"])
    rows = load(members(export(insects))["embeddings.safetensors"])[labels["embedding"]].numpy()
    assert (index.ntotal, index.d) == rows.shape
    similarities, ids = index.search(rows, 1)
    assert np.allclose(similarities, 1, atol=1e-5)
    label = {image["id"]: image["label"] for image in labels["images"]}
    found = [label[i] for i in ids[:, 0].tolist()]
    assert found[:8] == ["ant", found[1], "ant", "ant", "bee", "bee", "bee", "bee"]


def test_another_backbone_embeds_the_images_anew(
    insects: Classifier, tiny_vit: Callable[[int], str], tmp_path: Path
) -> None:
    other = tiny_vit(1)
    file, bare = export(insects), export(insects, images=False)
    with Server.ready(tmp_path / "other", backbone=other) as running, running.client() as http:
        refused = put_file(http, "insects", bare)
        problem(refused, 422, "imported-backbone", "8 of its images are not in it")
        assert http.get("/v1/classifiers").json()["classifiers"] == []
        assert put_file(http, "insects", file).status_code == 201
        assert put_file(http, "insects", file).status_code == 200
        copy = Classifier(http, "insects")
        fresh = Classifier(http, "fresh")
        fresh.put(coverage=0.9, templates=["a drawing of {}", "{}"])
        fresh.post("ant", *map(picture, range(4)))
        fresh.post("bee", *map(picture, range(10, 14)))
        fresh.post("Ameise №1 🐜", picture(1))
        http.put(fresh.class_url("by name alone"))
        assert [image["id"] for image in copy.get_class("ant").json()["images"]] == [
            image["id"] for image in insects.get_class("ant").json()["images"]
        ]
        for mine, theirs in zip(answers_of_labels(copy), answers_of_labels(fresh), strict=True):
            assert mine["label"] == theirs["label"]
            assert mine["probability"] == pytest.approx(theirs["probability"], abs=1e-3)
        running.stop()
        assert "Traceback" not in running.log.read_text()


def test_commands_write_and_read_the_same_file(
    insects: Classifier, vit: str, tmp_path: Path
) -> None:
    over_http = tmp_path / "insects.zip"
    over_http.write_bytes(export(insects))
    data = ["--data-dir", str(tmp_path / "data")]
    done = run_handful("import", str(over_http), *data, backbone=vit)
    assert done.returncode == 0, done.stderr
    assert "insects is there with 4 classes and 9 support images; now start" in done.stdout
    again = run_handful("import", str(over_http), "--name", "insects", *data, backbone=vit)
    assert "nothing was done" in again.stdout
    written = tmp_path / "written.zip"
    index = tmp_path / "keys.faiss"
    done = run_handful("export", "insects", str(written), "--faiss", str(index), *data)
    assert done.returncode == 0, done.stderr
    assert "8 of them with their bytes" in done.stdout
    assert members(written.read_bytes()) == members(over_http.read_bytes())
    assert faiss.read_index(str(index)).ntotal == 9
    assert len(json.loads((tmp_path / "keys.faiss.json").read_text())["images"]) == 9
    assert not list(tmp_path.glob("*.part"))
    with Server.ready(tmp_path / "data", backbone=vit) as running, running.client() as http:
        assert answers(Classifier(http, "insects")) == answers(insects)
        refused = run_handful("export", "insects", str(written), *data)
        assert refused.returncode == 1
        assert "in use by another handful process" in refused.stderr
        running.stop()


def test_commands_say_what_is_wrong(
    tmp_path: Path, vit: str, tiny_vit: Callable[[int], str]
) -> None:
    data = ["--data-dir", str(tmp_path / "data")]
    missing = run_handful("export", "nobody", str(tmp_path / "f.zip"), *data)
    assert missing.returncode == 1
    assert "There is no classifier 'nobody'" in missing.stderr
    (tmp_path / "none.zip").write_bytes(b"no zip")
    refused = run_handful("import", str(tmp_path / "none.zip"), *data, backbone=vit)
    assert refused.returncode == 1
    assert "no zip" in refused.stderr
    assert "Traceback" not in refused.stderr + missing.stderr
