"""Advisories on what is installed: known vulnerabilities of Python's packages and the studio's.

make audit    # or python -m supply_chain.known_advisories

Exit status: 1, there is an advisory that is not among those that do not concern Handful; 0, there
is none, or no source of advisories can be reached, which is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from supply_chain.lock import LOCKS, OWN, ROOT

#: Advisories that do not concern Handful, by their ids, each with the reason.
DO_NOT_CONCERN: dict[str, str] = {}
#: Options of pip-audit for each source of advisories, the first that answers is asked.
SOURCES: dict[str, Sequence[str]] = {
    "PyPI": ("--vulnerability-service", "pypi"),
    "OSV": ("--vulnerability-service", "osv"),
}
# Of 2019, with advisories in every source. A mirror of an index that has no advisories answers
# that it knows nothing of a package, for which pip-audit ends with 0.
_KNOWN_TO_BE_BAD = "jinja2==2.10"
_PIP_AUDIT = (sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off")


class NoSourceError(Exception):
    """No source of advisories answers."""


def say(text: str) -> None:
    """Tell what came of it."""
    print(f"audit: {text}", flush=True)


def _dependencies(source: Sequence[str], *what: str) -> list[dict[str, Any]]:
    """What pip-audit says of each package.

    Raises:
        NoSourceError: It says nothing.
    """
    command = [*_PIP_AUDIT, *source, *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this Python
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except ValueError as error:
        raise NoSourceError(done.stderr.strip().rpartition("\n")[2]) from error


def answering(sources: dict[str, Sequence[str]]) -> str:
    """The first source that knows an advisory on what is known to be bad.

    Raises:
        NoSourceError: There is none.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(_KNOWN_TO_BE_BAD)
        for name, source in sources.items():
            try:
                [found] = _dependencies(source, f"-r{file}", "--no-deps", "--disable-pip")
            except NoSourceError:
                continue
            if found.get("vulns"):
                return name
    raise NoSourceError(f"{' and '.join(sources)} tell nothing of {_KNOWN_TO_BE_BAD}")


def of_packages(source: Sequence[str], *what: str) -> list[str]:
    """Lines on packages: what is known against them, and those of which nothing can be known.

    Raises:
        NoSourceError: The source does not answer.
    """
    lines = []
    for found in _dependencies(source, *what):
        if "skip_reason" in found:
            if found["name"] not in OWN:
                lines.append(f"{found['name']}: {found['skip_reason']}")
            continue
        for one in found["vulns"]:
            ids = [one["id"], *one["aliases"]]
            if DO_NOT_CONCERN.keys().isdisjoint(ids):
                mended = ", ".join(one["fix_versions"]) or "no version"
                lines.append(
                    f"{found['name']} {found['version']}: {' '.join(ids)}; mended in {mended}"
                )
    return lines


def of_studio() -> list[str]:
    """Lines on packages of the studio, with what builds it.

    Raises:
        NoSourceError: There is no npm, or its registry has no advisories.
    """
    command = ("npm", "audit", "--json", "--package-lock-only", "--fetch-retries=0")
    try:
        done = subprocess.run(  # noqa: S603 - no word of it is anybody's
            command, cwd=ROOT / "studio", capture_output=True, text=True, check=False
        )
        told = json.loads(done.stdout)
        found: dict[str, dict[str, Any]] = told["vulnerabilities"]
    except (OSError, ValueError, KeyError) as error:
        raise NoSourceError("npm audit tells nothing") from error
    lines = []
    for name, one in found.items():
        # Beside them stand names of packages that have their own lines.
        advisories = [via for via in one["via"] if isinstance(via, dict)]
        urls = [str(via["url"]) for via in advisories]
        if urls := [url for url in urls if url.rpartition("/")[2] not in DO_NOT_CONCERN]:
            lines.append(f"{name} {one['range']}: {' '.join(urls)}")
    return lines


def main() -> int:
    """Ask, and say."""
    lines = []
    try:
        name = answering(SOURCES)
        source = SOURCES[name]
        lines += of_packages(source, "--skip-editable")
        lines += of_packages(source, f"-r{LOCKS / 'gpu.txt'}", "--disable-pip", "--require-hashes")
        say(f"packages of Python were looked up at {name}")
    except NoSourceError as error:
        say(f"packages of Python are NOT CHECKED, as no source of advisories answers: {error}")
    try:
        lines += of_studio()
        say("packages of the studio were looked up at npm's registry")
    except NoSourceError as error:
        say(f"packages of the studio are NOT CHECKED, as no source of advisories answers: {error}")
    for line in lines:
        say(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
