"""A client that openapi-python-client makes from the document works, without a warning."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from service.demo.sample_images import FewShotTask, materials
from tests.service.client import Classifier
from tests.service.pictures import zipped

CONFIGURATION = Path(__file__).with_name("openapi-python-client.yaml")


class Generated:
    """The generated package, and calls of its operations by their ids."""

    def __init__(self, url: str) -> None:
        self.client = self.module("client").Client(base_url=url, timeout=60)
        self.operations = {
            path.stem: self.module(f"api.{path.parent.name}.{path.stem}")
            for path in Path(self.module("api").__path__[0]).glob("*/*.py")
        }

    def module(self, name: str) -> Any:
        return importlib.import_module(f"generated_client.{name}")

    def model(self, name: str) -> Any:
        return getattr(self.module("models"), name)

    def file(self, content: bytes, name: str | None = None) -> Any:
        return self.module("types").File(payload=BytesIO(content), file_name=name)

    def call(self, operation: str, *arguments: Any, **options: Any) -> Any:
        """The whole response; ``parsed`` is the value."""
        function = self.operations[operation].sync_detailed
        return function(*arguments, client=self.client, **options)


@pytest.fixture(scope="module")
def generated(http: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generated]:
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_bytes(http.get("/openapi.json").content)
    programs = Path(sys.executable).parent
    made = subprocess.run(
        [
            *(
                programs / "openapi-python-client",
                "generate",
                "--meta",
                "none",
                "--fail-on-warning",
            ),
            *("--path", "openapi.json", "--output-path", "generated_client"),
            *("--config", CONFIGURATION),
        ],
        cwd=folder,
        env=os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "warning" not in (made.stdout + made.stderr).lower()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield Generated(str(http.base_url).rstrip("/"))


@pytest.fixture(scope="module")
def task() -> FewShotTask:
    return materials(shots=2)


def test_a_generated_client_goes_the_way_of_the_demo(
    generated: Generated, task: FewShotTask
) -> None:
    call, file, model = generated.call, generated.file, generated.model
    assert call("readyz").parsed.status == "ready"
    made = call(
        "put_classifier",
        "generated",
        body=model("ClassifierSettingsIn")(names_carry_meaning=task.names_carry_meaning),
    )
    assert (made.status_code, made.parsed.name) == (201, "generated")

    archive = zipped({f"{one.label}/{one.name}": one.content for one in task.support[1:]})
    registered = call("post_support", "generated", body=file(archive)).parsed
    assert (registered.created, registered.duplicates) == (len(task.support) - 1, 0)
    first = task.support[0]
    form = model("PostImagesFilesBody")(files=[file(first.content, first.name)])
    [image] = call("post_images", "generated", first.label, body=form).parsed.images
    assert (image.label, image.filename, image.status.value) == (first.label, first.name, "created")

    queries = task.queries[::20]
    form = model("PredictFilesBody")(files=[file(one.content, one.name) for one in queries])
    answered = call("predict", "generated", body=form, top_k=2).parsed.predictions
    right = sum(one.label == query.label for one, query in zip(answered, queries, strict=True))
    assert right / len(queries) > 0.6
    assert all(len(one.top_k) == 2 and one.evidence for one in answered)
    alone = call("predict", "generated", body=file(queries[0].content), request_timeout=30.0).parsed
    assert alone.predictions[0].label == answered[0].label

    listed = call("list_classes", "generated").parsed.classes
    assert {one.label: one.n_images for one in listed} == dict.fromkeys(
        dict.fromkeys(one.label for one in task.support), 2
    )
    looked_at = call("get_class", "generated", first.label).parsed
    assert image.id in {one.id for one in looked_at.images}
    downloaded = call("get_image", "generated", first.label, image.id).parsed
    assert downloaded.payload.read() == first.content

    exported = call("export_classifier", "generated", images=False).parsed.payload.read()
    again = call("import_classifier", "generated", body=file(exported))
    assert (again.status_code, again.parsed.n_images) == (200, len(task.support))
    assert call("export_index", "generated").parsed.payload.read().startswith(b"PK")

    report = call("get_report", "generated").parsed
    assert (report.n_images, report.n_classes) == (len(task.support), 3)
    assert "<html" in call("get_page", "generated").parsed
    assert call("get_picture", "generated").parsed.payload.read().startswith(b"\x89PNG")
    assert b"<svg" in call("get_drawing", "generated").parsed.payload.read()
    assert "http_server_request_duration_seconds_count" in call("metrics").parsed

    assert call("delete_image", "generated", first.label, image.id).status_code == 204
    assert call("delete_class", "generated", first.label).status_code == 204
    assert len(call("list_classes", "generated").parsed.classes) == 2
    assert call("delete_classifier", "generated").status_code == 204


def test_a_generated_client_reads_problems(generated: Generated, classifier: Classifier) -> None:
    missing = generated.call("get_classifier", "nobody")
    assert missing.status_code == 404
    assert isinstance(missing.parsed, generated.model("Problem404"))
    assert missing.parsed.type_.value == "classifier-not-found"
    assert "'nobody'" in missing.parsed.detail
    no_image = generated.call("predict", classifier.name, body=generated.file(b"no image"))
    assert isinstance(no_image.parsed, generated.model("Problem422"))
    assert no_image.parsed.type_.value == "not-an-image"
    not_as_described = generated.call(
        "predict", classifier.name, body=generated.file(b"no image"), top_k=0
    ).parsed
    assert not_as_described.type_.value == "request-validation-failed"
    assert [error.loc for error in not_as_described.errors] == [["query", "top_k"]]


@pytest.mark.parametrize("label", ["..", ".", "a/b", "../../classes", "a\\b"])
def test_a_generated_client_never_changes_what_it_does_not_name(
    generated: Generated, classifier: Classifier, label: str
) -> None:
    classifier.put(names_carry_meaning=False, classes=["ant"])
    before = classifier.state()
    for operation, *arguments in (
        ("delete_class", label),
        ("put_class", label),
        ("delete_image", label, "0" * 32),
        ("delete_image", "ant", label),
    ):
        answer = generated.call(operation, classifier.name, *arguments)
        assert answer.status_code == 422
        assert answer.parsed.type_.value == "invalid-name"
    assert generated.call("delete_classifier", label).status_code == 422
    assert classifier.state() == before


def test_a_generated_client_takes_any_label(generated: Generated, classifier: Classifier) -> None:
    for label in ("50% off?", "#1 & more", "森林", "a.b.c", "%2F", "semi;colon"):
        assert generated.call("put_class", classifier.name, label).parsed.label == label
    assert generated.call("delete_class", classifier.name, "a.b.c").status_code == 204
    assert list(classifier.counts()) == ["50% off?", "#1 & more", "森林", "%2F", "semi;colon"]
