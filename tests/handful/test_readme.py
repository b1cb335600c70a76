"""The Python example of the README, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.service.pictures import TEXTURES, patches

README = Path(__file__).parents[2] / "README.md"


def test_the_python_example_of_the_readme_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = README.read_text("utf-8").partition("## In Python, without a service")[2]
    [example] = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    for texture in TEXTURES:
        (tmp_path / "support" / texture).mkdir(parents=True)
        for i, image in enumerate(patches(texture)[:3]):
            (tmp_path / "support" / texture / f"{i}.png").write_bytes(image)
    (tmp_path / "query.png").write_bytes(patches("grass")[9])
    (tmp_path / "another.png").write_bytes(patches("brick")[9])
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["['grass']", "True"]
