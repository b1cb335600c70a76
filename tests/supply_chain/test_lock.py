"""The lock files: hashes for all, the versions of the constraints, and all that is asked for."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply_chain.lock import (
    CONSTRAINTS,
    LOCKS,
    OWN,
    ROOT,
    entries,
    extras,
    resolved,
    version,
)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLIENT = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())


# Of the image, which has the oldest Python that all is locked for.
IMAGE = {
    "python_version": "3.11",
    "python_full_version": "3.11.5",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
}


def is_of_the_image(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(IMAGE)


def locked(*names: str) -> dict[str, str]:
    """Versions of some lock files, by names."""
    texts = [(LOCKS / f"{name}.txt").read_text() for name in names]
    return {name: version(entry) for text in texts for name, entry in entries(text).items()}


def installed(*names: str) -> dict[str, str]:
    """Versions that the image's Python takes of some lock files, by names."""
    texts = [(LOCKS / f"{name}.txt").read_text() for name in names]
    found = [entry for text in texts for entry in entries(text).values()]
    pins = [Requirement(entry.partition("\\")[0]) for entry in found]
    return {
        pin.name: version(entry)
        for pin, entry in zip(pins, found, strict=True)
        if is_of_the_image(pin)
    }


def test_each_line_is_a_pin_or_a_hash_and_each_pin_has_one() -> None:
    pinned = 0
    for file in LOCKS.glob("*.txt"):
        header, *lines = file.read_text().splitlines()
        assert header.endswith("Made by: make lock")
        for line, following in zip(lines, [*lines, ""][1:], strict=True):
            if line.startswith(" "):
                assert re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", line), line
            else:
                assert re.fullmatch(r"[a-z0-9-]+==\S+( ; .+)? \\", line), line
                assert following.startswith("    --hash=")
                pinned += 1
    assert pinned > 300


def test_versions_are_those_of_the_constraints() -> None:
    lines = CONSTRAINTS.read_text().split()
    pins = {
        canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)
    }
    assert len(pins) == len(lines)
    assert locked(*(file.stem for file in LOCKS.glob("*.txt"))) == pins


def asked(requirements: list[str]) -> Iterator[Requirement]:
    """Requirements, without what lies here, and with those of Handful's own extras."""
    for requirement in map(Requirement, requirements):
        if requirement.name == "handful":
            for extra in requirement.extras:
                yield from asked(PROJECT["project"]["optional-dependencies"][extra])
        elif requirement.name not in OWN:
            yield requirement


@pytest.mark.parametrize("name", ["base", "build", *extras()])
def test_what_is_asked_for_is_locked(name: str) -> None:
    """Whoever changes a requirement has to make the lock files anew."""
    optional = PROJECT["project"]["optional-dependencies"]
    if name == "build":
        there, wanted = installed("build"), PROJECT["dependency-groups"]["build"]
    elif name == "base":
        there = installed("base")
        wanted = PROJECT["project"]["dependencies"] + CLIENT["project"]["dependencies"]
    elif name == "dev":
        there, wanted = installed("base", "build", *set(extras()) - {"gpu"}), optional[name]
    else:
        there, wanted = installed("base", "cuda", name), optional[name]
    for requirement in filter(is_of_the_image, asked(wanted)):
        found = there[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(found, prereleases=True), requirement


def outgrown(folder: Path) -> None:
    """Put two wheels of a package there, of which the newer is for newer Pythons."""
    for number, python in (("1.0", ">=3.11"), ("2.0", ">=3.12")):
        name, about = f"outgrown-{number}", f"outgrown-{number}.dist-info"
        with ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
            head = f"Metadata-Version: 2.1\nName: outgrown\nVersion: {number}\n"
            wheel.writestr(f"{about}/METADATA", f"{head}Requires-Python: {python}\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")


def test_what_has_outgrown_the_python_of_the_image_is_locked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outgrown(tmp_path)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("outgrown")
    [entry] = resolved(str(wanted)).values()
    assert entry.startswith("outgrown==1.0 \\\n    --hash=sha256:")


def test_a_package_that_is_locked_twice_is_refused() -> None:
    text = "Numpy==2.4 ; python_version < '3.12'\nscipy==1.17\nnumpy==2.5\n"
    with pytest.raises(ValueError, match=r"more than once: numpy$"):
        entries(text)


def test_there_is_no_other_lock_file() -> None:
    assert {file.stem for file in LOCKS.iterdir()} == {"base", "build", "cuda", *extras()}


def test_the_two_kinds_of_faiss_are_locked_apart() -> None:
    assert "faiss-cpu" in locked("cpu")
    assert "faiss-gpu" in locked("gpu")
    others = {file.stem for file in LOCKS.iterdir()} - {"cpu", "gpu"}
    assert not {"faiss-cpu", "faiss-gpu"} & locked(*others).keys()


def test_pytorch_for_the_processor_needs_nothing_of_cuda() -> None:
    assert not [name for name in locked("base") if name.startswith(("cuda", "nvidia", "triton"))]


def test_an_installation_takes_only_files_of_those_hashes() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "install"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    installs = [line for line in done.stdout.splitlines() if " install " in line]
    *fetched, own = installs
    assert len(fetched) == 2
    for line in fetched:
        assert "--require-hashes" in line
        assert "--only-binary=:all:" in line
    named = set(re.findall(r"--requirement=requirements/([\w-]+)\.txt", fetched[1]))
    assert named == {file.stem for file in LOCKS.iterdir()} - {"gpu"}
    assert "--no-index" in own
    assert "--no-build-isolation" in own


def test_no_documented_command_takes_other_files() -> None:
    """Nor lets what builds a wheel be fetched for it, which no hash would be compared with."""
    page = re.sub(r"\\?\n\s*", " ", (ROOT / "docs" / "supply-chain.md").read_text())
    commands = re.findall(r"pip (?:install|wheel) .+?(?=`| pip |\Z)", page)
    assert len(commands) > 4
    for command in commands:
        needed = {"--no-index", "--no-build-isolation"}
        if "--no-index" not in command:
            needed = {"--require-hashes", "--only-binary=:all:"}
        assert needed <= set(command.split()), command
