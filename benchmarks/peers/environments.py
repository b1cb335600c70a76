"""A virtual environment for each peer, outside the project's own.

An environment sees the project's packages behind its own: PyTorch and open_clip are the same for
all, and are not fetched again. What a peer needs in another version is installed in its own.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

PINS = Path(__file__).with_name("pins.toml")
_PATIENCE = 900.0


class NotInstalled(RuntimeError):
    """A peer could not be installed; the message holds what pip said last."""


def pins() -> dict[str, list[str]]:
    """The pinned packages of each peer, by its name."""
    found: dict[str, list[str]] = tomllib.loads(PINS.read_text())["peers"]
    return found


def environment(name: str, folder: Path) -> Path:
    """Make the environment of a peer, or take the one that is there with the same pins.

    Args:
        name: Of the peer.
        folder: Of all environments.

    Returns:
        The environment's folder.

    Raises:
        NotInstalled: Its packages could not be installed.
    """
    place = folder / name
    wanted = "\n".join(pins()[name]) + "\n"
    stamp = place / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return place
    venv.create(place, clear=True, symlinks=True)
    base = ("base", "platbase")
    paths = dict.fromkeys(base, str(place))
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    (packages / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
    requirements = place / "requirements.txt"
    requirements.write_text(wanted)
    try:
        ended = subprocess.run(
            [
                *(place / "bin" / "python", "-m", "pip", "install", "--quiet"),
                *("--no-deps", "--requirement", requirements),
            ],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"pip took longer than {_PATIENCE:.0f} s") from error
    if ended.returncode:
        raise NotInstalled(_last_error(ended.stderr))
    stamp.write_text(wanted)
    return place


def version(place: Path, package: str) -> str:
    """The version of a package in an environment."""
    program = f"from importlib.metadata import version; print(version({package!r}))"
    command = [str(place / "bin" / "python"), "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def _last_error(said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith("ERROR")]
    return (lines or said.strip().splitlines() or [f"{sys.executable} -m pip failed"])[-1]
