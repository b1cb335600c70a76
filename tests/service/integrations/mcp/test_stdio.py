"""``handful mcp``: images by their paths, where a person has said which; and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.integrations.mcp.conftest import Service
from tests.service.server import run_handful

pytestmark = pytest.mark.anyio


async def test_images_are_read_by_their_paths_and_nothing_else_is(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("a secret of somebody")
    (tmp_path / "notes.png").write_text("a secret of somebody")
    folders = ("--folder", str(service.pictures), "--folder", str(tmp_path))
    async with service.over_stdio(None, *folders) as agent:
        tools = {one.name: one for one in (await agent.client.list_tools()).tools}
        assert "path" in str(tools["classify"].input_schema)
        for label in ("ant", "bee"):
            told = await agent.call(
                "add_examples", classifier="paths", label=label, images=[{"path": label}]
            )
            assert told["created"] == 4
            assert told["images"][1]["image"] == f"{label}/1.png"
        path = str(service.pictures / "bee" / "2.png")
        told = await agent.call(
            "classify", classifier="paths", images=[{"path": path}, {"path": "ant/0.png"}]
        )
        assert [one["image"] for one in told["images"]] == [path, "ant/0.png"]
        assert [one["evidence"][0]["label"] for one in told["images"]] == ["bee", "ant"]
        for wrong in ("notes.txt", "notes.png", "/etc/passwd", "../", str(tmp_path / "no.png")):
            refusal = await agent.refused(
                "add_examples", classifier="paths", label="x", images=[{"path": wrong}]
            )
            assert "secret" not in refusal
            assert "root:" not in refusal
        described = await agent.call("describe_classifier", classifier="paths")
        assert [one["label"] for one in described["classes"]] == ["ant", "bee"]
    with service.http(service.operator) as http:
        images = http.get("/v1/classifiers/paths/classes/ant").json()["images"]
    assert [one["filename"] for one in images] == [f"{k}.png" for k in range(4)]


async def test_a_key_that_is_wrong_and_is_never_shown(service: Service) -> None:
    async with service.over_stdio("hf_wrong_and_secret") as agent:
        told = await agent.refused("list_classifiers")
        assert "(401 " in told
        assert "secret" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--key", "two words"], "a key is"),
        (["--folder", "/no/such/folder"], "does not exist"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], told: str) -> None:
    done = run_handful("mcp", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert not done.stdout
