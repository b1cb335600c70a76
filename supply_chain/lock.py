"""Lock files: each package that an installation takes, its version and the hashes of its files.

make lock    # or python -m supply_chain.lock

What `constraints.txt` pins stays as it is pinned. What it does not pin is taken as new as can be
for all Pythons alike, and pinned there. So an update is: delete its line in `constraints.txt` (or
all lines), `make lock`, `make test`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"
CONSTRAINTS = ROOT / "constraints.txt"
#: What is not locked, as it lies here.
OWN = ("handful", "handful-client")
# What PyTorch of PyPI asks for beside itself; PyTorch for the processor alone, of its own index,
# asks for none of it.
_CUDA = re.compile(r"(cuda|nvidia)-|triton$")
_PYTHON = "3.11"
# What makes the documentation needs a newer one than Debian 12 has, where the service runs.
_PYTHON_OF_DEVELOPERS = "3.11.5"
#: Entries of a lock file, by canonical names: pin, marker and hashes, as they stand there.
Entries = dict[str, str]


def entries(text: str) -> Entries:
    """Entries of a lock file.

    Raises:
        ValueError: A package is there twice, as for two versions of Python.
    """
    found = list(re.finditer(r"^([A-Za-z0-9][\w.-]*)==.*\n(?:[ \t].*\n)*", text, re.M))
    names = [canonicalize_name(entry[1]) for entry in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"locked more than once: {', '.join(twice)}")
    return {name: entry[0] for name, entry in zip(names, found, strict=True)}


def version(entry: str) -> str:
    """The version that an entry, or a line of constraints, pins."""
    found = re.match(r"[^=\s]+==([^\s;\\]+)", entry)
    assert found is not None, entry  # noqa: S101 - what makes entries has looked
    return found[1]


def extras() -> list[str]:
    """Names of Handful's extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return list(project["optional-dependencies"])


def resolved(*what: str, python: str = _PYTHON) -> Entries:
    """Lock what is asked for, for all platforms, under the constraints.

    Of a package that has outgrown the oldest Python the version is taken that all of them can have.
    """
    command: list[str | Path] = [
        *(Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--universal"),
        *("--python-version", python, "--generate-hashes", "--no-header", "--no-annotate"),
        *("--constraint", CONSTRAINTS, "--only-binary", ":all:", "--fork-strategy", "fewest"),
        *("--excludes", "/dev/stdin", *what),
    ]
    done = subprocess.run(  # noqa: S603 - uv, of this environment
        command, cwd=ROOT, input="\n".join(OWN), stdout=subprocess.PIPE, text=True, check=True
    )
    return entries(done.stdout)


def _write(name: str, of: str, found: Entries) -> None:
    text = "".join(found[one] for one in sorted(found))
    (LOCKS / f"{name}.txt").write_text(f"# {of}. Made by: make lock\n{text}")


def _pin(found: Entries) -> None:
    """Make `constraints.txt` pin what is locked, and nothing else."""
    written = [line.partition("==")[0] for line in CONSTRAINTS.read_text().splitlines()]
    names: dict[str, str] = {canonicalize_name(name): name for name in written}
    pins = [f"{names.get(one, one)}=={version(found[one])}" for one in sorted(found)]
    CONSTRAINTS.write_text("\n".join(pins) + "\n")


def main() -> None:
    """Make all lock files."""
    LOCKS.mkdir(exist_ok=True)
    project = ("pyproject.toml", "client/pyproject.toml")
    base = resolved(*project)
    files: dict[str, tuple[str, Entries]] = {
        "build": ("What installs and builds packages, and lists what is in an image", {}),
        "base": ("What the service and its client need", {}),
        "cuda": ("What PyTorch needs beside it for a GPU", {}),
    }
    files["build"][1].update(resolved("--group", "build"))
    for name, entry in base.items():
        files["cuda" if _CUDA.match(name) else "base"][1][name] = entry
    for extra in extras():
        of = f"What the extra {extra} needs beyond base.txt and cuda.txt"
        python = _PYTHON_OF_DEVELOPERS if extra == "dev" else _PYTHON
        found = resolved(*project, "--extra", extra, python=python)
        # With another marker it is needed where the base does not need it.
        files[extra] = (of, {n: entry for n, entry in found.items() if base.get(n) != entry})
    others = [found for name, (_, found) in files.items() if name not in ("dev", "gpu")]
    dev = files["dev"][1]
    for name in list(dev):
        if any(found.get(name) == dev[name] for found in others):
            del dev[name]
    for name, (of, found) in files.items():
        _write(name, of, found)
    _pin({name: entry for _, found in files.values() for name, entry in found.items()})


if __name__ == "__main__":
    main()
