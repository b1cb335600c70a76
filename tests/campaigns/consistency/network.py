"""Networks between a replica and its database: a namespace of Linux each, cut or slowed down.

A cut here is one of a cable: packets vanish, and neither side is told. Needs root, `ip` and `tc`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.campaigns.consistency import relay

_ROOT = Path(__file__).parents[3]
_PORT = 5432
# Bits a second: some kilobytes, so that a change takes tenths of a second.
_SLOW = "256kbit"


def networks() -> bool:
    """Whether this machine lets us make some."""
    return os.geteuid() == 0 and shutil.which("ip") is not None and shutil.which("tc") is not None


class Network:
    """A pair of virtual interfaces, the far one in a namespace with a relay that leads back.

    Addresses are of 198.18.0.0/15, which is for tests (RFC 2544).

    Args:
        number: Another one for each network of a process.

    Attributes:
        near: Address on this side, where whatever the relay leads to has to listen.
        far: Address and port to connect to.
    """

    def __init__(self, number: int) -> None:
        self._name = f"hf{os.getpid() % 100_000}n{number}"
        net = f"198.18.{os.getpid() % 256}"
        self.near = f"{net}.{4 * number + 1}"
        self.far = f"{net}.{4 * number + 2}:{_PORT}"
        self._relay: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        name, there = self._name, ("ip", "netns", "exec", self._name)
        self._remove()
        far = self.far.partition(":")[0]
        for command in (
            ("ip", "netns", "add", name),
            ("ip", "link", "add", name, "type", "veth", "peer", "name", "far", "netns", name),
            ("ip", "address", "add", f"{self.near}/30", "dev", name),
            ("ip", "link", "set", name, "up"),
            (*there, "ip", "address", "add", f"{far}/30", "dev", "far"),
            (*there, "ip", "link", "set", "far", "up"),
        ):
            _run(command)
        return self

    def lead_to(self, port: int) -> None:
        """Relay to a port of the near address."""
        command = ("ip", "netns", "exec", self._name, sys.executable, "-m", relay.__name__)
        self._relay = subprocess.Popen(
            [*command, self.far, f"{self.near}:{port}"],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._relay.stdout is not None
        if relay.READY not in self._relay.stdout.readline():
            raise RuntimeError("the relay does not listen")

    def cut(self) -> None:
        """Let packets vanish, both ways."""
        _run(("ip", "link", "set", self._name, "down"))

    def slow_down(self) -> None:
        """Let packets that come from here wait."""
        shape = ("rate", _SLOW, "burst", "3000", "latency", "10s")
        _run(("tc", "qdisc", "replace", "dev", self._name, "root", "tbf", *shape))

    def mend(self) -> None:
        """Let it be as at first."""
        with suppress(RuntimeError):  # it was not slow
            _run(("tc", "qdisc", "del", "dev", self._name, "root"))
        _run(("ip", "link", "set", self._name, "up"))

    def __exit__(self, *_: object) -> None:
        if self._relay is not None:
            self._relay.kill()
            self._relay.wait()
        self._remove()

    def _remove(self) -> None:
        for command in (("ip", "link", "del", self._name), ("ip", "netns", "del", self._name)):
            with suppress(RuntimeError):  # there is none
                _run(command)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
