"""Commands that ask a running service, as their user: by --url, or by HANDFUL_URL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.client.hostile import answer, hostile, problem
from tests.service.pictures import picture
from tests.service.server import Server, run_handful

HEALTHY = answer(200, b'{"status": "ok"}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, label in enumerate(("ant", "bee")):
        (tmp_path / "support" / label).mkdir(parents=True)
        for k in range(3):
            (tmp_path / "support" / label / f"{k}.png").write_bytes(picture(10 * i + k))
    (tmp_path / "support" / "ant" / "notes.txt").write_text("of the ants")
    return tmp_path / "support"


def test_a_folder_is_registered_listed_exported_and_imported(
    spare: Server, folder: Path, tmp_path: Path
) -> None:
    added = run_handful("add", "insects", str(folder), "--url", spare.url)
    assert added.returncode == 0, added.stderr
    assert added.stdout == "6 images registered with insects, 0 were there already\n"
    assert "skipped ant/notes.txt: it " in added.stderr
    again = run_handful("add", "insects", str(folder / "ant"), "--label", "ant", url=spare.url)
    assert again.stdout == "0 images registered with insects, 3 were there already\n"
    alone = run_handful("add", "insects", str(folder / "bee/0.png"), "--label=fly", url=spare.url)
    assert alone.stdout.startswith("1 images registered")

    file = tmp_path / "insects.zip"
    exported = run_handful("export", "insects", str(file), "--url", spare.url)
    assert (exported.returncode, file.exists()) == (0, True), exported.stderr
    imported = run_handful("import", str(file), "--name", "copy-of-insects", url=spare.url)
    assert "classifier copy-of-insects" in imported.stdout
    assert "has 7 images of 3 classes now" in imported.stdout

    listed = run_handful("classifiers", "--json", "--url", spare.url)
    sizes = {one["name"]: one["n_images"] for one in json.loads(listed.stdout)}
    assert (sizes["insects"], sizes["copy-of-insects"]) == (7, 7)
    table = run_handful("classifiers", url=spare.url)
    assert "copy-of-insects" in table.stdout
    assert table.stderr == ""  # HANDFUL_URL is no setting that was misspelt


def test_suggestions_are_the_services(spare: Server, folder: Path) -> None:
    run_handful("add", "few", str(folder / "ant/0.png"), "--label", "ant", url=spare.url)
    named = ["--classifier", "few", "-n", "2"]
    asked = run_handful("suggest", str(folder), *named, "--json", "--url", spare.url)
    assert asked.returncode == 0, asked.stderr
    told = json.loads(asked.stdout)
    assert (told["classifier"], told["labelled"], told["n_images"]) == ("few", True, 6)
    assert [one["filename"] for one in told["duplicates"]] == ["ant/0.png"]
    asked = run_handful("suggest", str(folder / "bee"), *named, url=spare.url)
    assert asked.returncode == 0, asked.stderr
    assert "of 3 images suggested" in asked.stderr
    asked = run_handful("suggest", str(folder), "--url", spare.url)
    assert (asked.returncode, "--classifier NAME" in asked.stderr) == (2, True)


def test_what_the_service_refuses_is_told_and_leaves_nothing(spare: Server, tmp_path: Path) -> None:
    refused = run_handful("export", "nobody", str(tmp_path / "c.zip"), "--url", spare.url)
    assert refused.returncode == 1
    assert "error: There is no classifier 'nobody'" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not list(tmp_path.iterdir())
    (tmp_path / "bad.png").write_bytes(b"no image")
    refused = run_handful("add", "c", str(tmp_path), "--label", "a", url=spare.url)
    assert refused.returncode == 1
    assert "bad.png" in refused.stderr


def test_the_key_is_sent_and_never_shown() -> None:
    with hostile(HEALTHY, problem(401, "unknown-key")) as service:
        done = run_handful("classifiers", url=service.url, key="hf_secret")
    assert done.returncode == 1
    assert "error: Do so. (401 unknown-key)" in done.stderr
    assert {one.headers["authorization"] for one in service.received} == {"Bearer hf_secret"}
    assert "hf_secret" not in done.stdout + done.stderr
    with hostile(problem(401, "unknown-key")) as service:
        done = run_handful("re-embed", "--precision", "int8", "--url", service.url, "--key", "k")
    assert "the service refuses: Do so." in done.stderr
    assert service.received[0].headers["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        (["classifiers", "--url", "localhost:8000"], {}, "no URL of a service"),
        (["classifiers", "--url", "http://localhost:1", "--key", "two words"], {}, "a key is"),
        (["add", "c", "/nowhere"], {}, "does not exist"),
        (["export", "c", "c.zip", "--data-dir", "d"], {"url": "http://a"}, "--data-dir is for"),
        (["export", "c", "c.zip", "--faiss", "i"], {"url": "http://a"}, "--faiss is for"),
    ],
)
def test_wrong_arguments_are_told(
    arguments: list[str], settings: dict[str, str], told: str
) -> None:
    done = run_handful(*arguments, **settings)
    assert done.returncode == 2
    assert told in done.stderr


def test_nobody_there_is_told_soon(tmp_path: Path) -> None:
    done = run_handful("classifiers", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "error: http://127.0.0.1:9 gives no answer" in done.stderr
