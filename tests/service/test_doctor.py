"""``handful doctor``, as it is run: what it says of this machine, and of broken installations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from tests.service.forked import ForkedHandful

ROOT = Path(__file__).parents[2]


def doctor(
    tmp_path: Path, *arguments: str, first: Path | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run it, with PyTorch as engine; ``first`` is searched for packages before all others."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HANDFUL_")},
        "HANDFUL_RUNTIME": "eager",
        "HANDFUL_DATA_DIR": str(tmp_path / "data"),
        **settings,
    }
    if first is None:
        out, errors = tmp_path / "out", tmp_path / "errors"
        status = ForkedHandful(["doctor", *arguments], environment, out, errors).wait(200)
        return subprocess.CompletedProcess([], status, out.read_text(), errors.read_text())
    environment["PYTHONPATH"] = os.pathsep.join([str(first), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-m", "service.cli", "doctor", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_it_says_what_serves_here_and_why_nothing_quicker_does(tmp_path: Path) -> None:
    ran = doctor(tmp_path, "--json")
    assert ran.returncode == 0, ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    assert (report["serves"], report["reason"]) == (True, None)
    assert report["versions"]["torch"] == version("torch")
    assert report["versions"]["openvino"] == version("openvino")
    assert report["encoder"]["used"].startswith("lite on ")
    assert "IndexFlatIP" in report["cache"]["used"]
    # PyTorch, which embeds here, computes in float32.
    assert report["precision"]["used"] == "float32"
    assert "agrees with float32" in report["precision"]["remarks"][0]
    if not torch.cuda.is_available():
        assert report["encoder"]["used"] == "lite on cpu, run by eager"
        assert report["cache"]["remarks"] == ["no GPU, as the encoder is on none"]
        assert report["torch"]["used"].endswith("no GPU")
    assert not (tmp_path / "data").exists()


def test_it_says_that_a_precision_was_asked_for(tmp_path: Path) -> None:
    ran = doctor(tmp_path, "--json", HANDFUL_RUNTIME="auto", HANDFUL_PRECISION="bfloat16")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)["precision"]
    assert told == {"used": "bfloat16", "remarks": ["as HANDFUL_PRECISION asks"]}


def test_people_read_the_same_as_lines(tmp_path: Path) -> None:
    ran = doctor(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert f"torch                     {version('torch')}\n" in ran.stdout
    assert "encoder: lite on " in ran.stdout
    assert ran.stdout.endswith("handful serve can start\n")


def test_a_backbone_that_cannot_be_loaded_is_the_reason(tmp_path: Path) -> None:
    ran = doctor(tmp_path, "--adapter", str(tmp_path / "nowhere.safetensors"))
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "nowhere.safetensors" in ran.stderr


def test_a_library_that_faiss_misses_is_the_reason(tmp_path: Path) -> None:
    (tmp_path / "faiss").mkdir()
    says = "faiss-gpu installed but nvidia-cublas-cu12 is missing"
    (tmp_path / "faiss" / "__init__.py").write_text(f"raise RuntimeError({says!r})\n")
    installed(tmp_path, "faiss-gpu", "1.15.1")
    ran = doctor(tmp_path, "--json", first=tmp_path)
    report = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert not report["serves"]
    # The distribution that is really here is beside the pretended one.
    assert "are both installed" in report["reason"] or says in report["reason"]
    assert report["versions"]["faiss-gpu"] == "1.15.1"
    assert "nvidia-cublas-cu12" in report["versions"]


def test_a_missing_faiss_is_the_reason(tmp_path: Path) -> None:
    (tmp_path / "faiss.py").write_text("raise ModuleNotFoundError('No module named faiss')\n")
    ran = doctor(tmp_path, "--json", first=tmp_path)
    assert ran.returncode == 1
    assert "install handful[cpu] or, for GPUs, handful[gpu]" in json.loads(ran.stdout)["reason"]


def test_a_setting_that_is_wrong_is_told_as_by_every_command(tmp_path: Path) -> None:
    ran = doctor(tmp_path, HANDFUL_PORT="many")
    assert ran.returncode == 2
    assert "HANDFUL_PORT" in ran.stderr


def installed(folder: Path, name: str, number: str) -> None:
    """Pretend that a distribution is there."""
    metadata = folder / f"{name.replace('-', '_')}-{number}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
