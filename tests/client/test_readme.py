"""The examples of the client's README, run as they stand there but for the address."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from handful_client import AsyncClassifier, AsyncClient, AsyncJob, Classifier, Client, Job

from tests.service.pictures import patches
from tests.service.server import Server

README = (Path(__file__).parents[2] / "client" / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_examples_run_as_written(
    service: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "photos" / "none.jpg"
    files = {"query.jpg": patches("grass")[9]}
    for i, name in enumerate(("brick-1.jpg", "brick-2.jpg", "support/brick/3.jpg")):
        files[name] = patches("brick")[i]
    for i, name in enumerate(("photos/grass/1.jpg", "photos/grass/2.jpg", "support/grass/3.jpg")):
        files[name] = patches("grass")[i]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    told = []
    for example in EXAMPLES:
        if "RefusedImage" in example:
            broken.write_bytes(b"no image")
        else:
            broken.unlink(missing_ok=True)
        source = example.replace("http://localhost:8000", service.url)
        exec(compile(source, "README.md", "exec"), {})
        told.append(capsys.readouterr().out.split("\n"))
    quick_start, many, background, wrong, asynchronous = told
    assert quick_start[0].startswith("grass 0.")
    assert [line.split()[1] for line in many[:2]] == ["grass", "grass"]
    assert many[2].startswith("photos/none.jpg cannot be read: ")
    assert background[-4] == "2 of 2"
    assert [json.loads(line)["label"] for line in background[-3:-1]] == ["grass"] * 2
    assert wrong == ["classifier-not-found", ""]
    assert asynchronous == ["grass", "grass", "grass", ""]


def test_the_quick_start_takes_ten_lines_from_the_installation() -> None:
    installation = 1
    assert "pip install handful-client" in README
    assert installation + len(EXAMPLES[0].splitlines()) <= 10


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("client", (Client, AsyncClient)),
        ("classifier", (Classifier, AsyncClassifier)),
        ("job", (Job, AsyncJob)),
    ],
)
def test_the_tables_name_every_method(title: str, kinds: tuple[type, type]) -> None:
    [table] = re.findall(rf"\| `{title}` \|.*?\n\n", README, re.DOTALL)
    named = set(re.findall(r"`(\w+)\(", table))
    for kind in kinds:
        methods = {name for name in dir(kind) if not name.startswith("_")}
        assert methods - {"close", "aclose"} == named
