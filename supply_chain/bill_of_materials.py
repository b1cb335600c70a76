"""Software bill of materials (CycloneDX 1.6) of what is installed beside a Python.

make sbom
python -m supply_chain.bill_of_materials PYTHON FILE

Names, versions, licences and who needs whom are read of what is installed (cyclonedx-bom); the
hashes are those that the lock files allow its files to have. What is not of a lock file, Handful
itself and PyTorch of an index of its own, has none.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from supply_chain.lock import LOCKS, ROOT, Entries, entries, version


def bill(python: Path) -> dict[str, Any]:
    """Bill of materials of the environment of an interpreter, as JSON."""
    command: list[str | Path] = [
        *(sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"),
        *("--spec-version", "1.6", "--pyproject", ROOT / "pyproject.toml"),
        # Takes a minute, and is what a test does in a second.
        *("--no-validate", python),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - this Python
    made: dict[str, Any] = json.loads(done.stdout)
    locked: Entries = {}
    for file in LOCKS.glob("*.txt"):
        locked |= entries(file.read_text())
    for component in made["components"]:
        references = component.setdefault("externalReferences", [])
        # Folders of the machine that it was installed on tell nothing to anybody else.
        references[:] = [one for one in references if not one["url"].startswith("file:")]
        entry = locked.get(canonicalize_name(component["name"]))
        if entry is not None and version(entry) == component["version"]:
            references.append(_distribution(component["purl"], entry))
        if not references:
            del component["externalReferences"]
    return made


def _distribution(purl: str, entry: str) -> dict[str, Any]:
    digests = re.findall(r"sha256:([0-9a-f]{64})", entry)
    hashes = [{"alg": "SHA-256", "content": digest} for digest in digests]
    comment = "the files that the lock allows, for all platforms"
    return {"type": "distribution", "url": purl, "hashes": hashes, "comment": comment}


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("python", type=Path, help="the interpreter of the environment")
    parser.add_argument("file", type=Path, help="where the bill is written")
    asked = parser.parse_args()
    asked.file.parent.mkdir(parents=True, exist_ok=True)
    asked.file.write_text(json.dumps(bill(asked.python), indent=1) + "\n")


if __name__ == "__main__":
    main()
