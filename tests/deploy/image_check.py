"""Build the image of the Dockerfile as it is, run it as the chart does, and ask it.

make image-check
python tests/deploy/image_check.py --storage FOLDER    # layers are kept there, for the next time

No registry of images is needed: Debian, which has the same Python, stands in for the base image.
Exit status: 0, all is well, or no image can be built on this machine, which is said; 1, the
Dockerfile, or the image, is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from platformdirs import user_cache_path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
CHART_TEST = ROOT / "deploy" / "helm" / "handful" / "files" / "register_and_predict.py"
IMAGE = "localhost/handful:check"
PACKAGES = {"podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap"}
UID = "10001"
# From its start until it is ready, with an encoder to be compiled; seconds.
_PATIENCE = 300.0
# What is in the image, told by its own Python.
_CONTENTS = """
import importlib.metadata as metadata, importlib.util, json, os, shutil
tools = ["sh", "bash", "dash", "perl", "pip", "apt-get", "dpkg", "su", "mount", "curl", "wget"]
programs = [os.path.join(at, name) for at, _, names in os.walk("/usr") for name in names]
modes = {path: os.lstat(path).st_mode for path in programs}
print(json.dumps({
    "tools": [tool for tool in tools if shutil.which(tool)],
    "modules": [name for name in ("pip", "ensurepip") if importlib.util.find_spec(name)],
    "set-user": [path for path, mode in modes.items() if mode & 0o6000 and mode & 0o100000],
    "installed": sorted(one.metadata["Name"] for one in metadata.distributions()),
    "bill": json.load(open("/opt/handful/handful.cdx.json")),
    "source": os.path.exists("/source"),
}))
"""
_BUILDER = "FROM {base}\nRUN python --version && useradd --uid 12345 probe\nUSER 12345\n"


class BrokenError(Exception):
    """The Dockerfile, or the image, is not what it should be."""


class NoBuilderError(Exception):
    """No image at all can be built or run on this machine."""


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"image-check: {text}", flush=True)


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )


def install_tools() -> None:
    """Podman, runc and mmdebstrap, by apt where they are not there.

    Raises:
        NoBuilderError: They cannot be had.
    """
    missing = [package for command, package in PACKAGES.items() if not shutil.which(command)]
    if not missing:
        return
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise NoBuilderError(f"{' and '.join(missing)} must be installed")
    say(f"installing {', '.join(missing)}")
    run("apt-get", "update", "-qq")
    done = run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
    if done.returncode != 0:
        raise NoBuilderError(f"{' and '.join(missing)} cannot be installed: {done.stderr[-500:]}")


def stand_in() -> Path:
    """A root file system of Debian with Python, which is made once and kept in the user's cache.

    Raises:
        NoBuilderError: It cannot be made.
    """
    made = user_cache_path("handful-image-check") / "bookworm-2.tar"
    if made.exists():
        return made
    say("making what stands in for the base image")
    made.parent.mkdir(parents=True, exist_ok=True)
    part = made.with_suffix(".part.tar")
    done = run(
        *("mmdebstrap", "--quiet", "--variant=minbase"),
        "--include=python3,python3-venv,ca-certificates,netbase,tzdata",
        *(f"--dpkgopt=path-exclude=/usr/share/{it}/*" for it in ("doc", "man", "locale")),
        "--dpkgopt=force-unsafe-io",
        "--customize-hook=ln -s /usr/bin/python3 $1/usr/local/bin/python",
        *("bookworm", part),
    )
    if done.returncode != 0:
        raise NoBuilderError(f"mmdebstrap fails: {done.stderr[-500:]}")
    part.replace(made)
    return made


def pip_configuration(folder: Path) -> list[str]:
    """Volumes by which pip in a build reaches what it reaches on this machine.

    Its configuration, whose folders of this machine are mounted, and the certificates.
    """
    options: dict[str, str] = {}
    for line in run(sys.executable, "-m", "pip", "config", "list").stdout.splitlines():
        name, _, value = line.partition("=")
        options[name.rpartition(".")[2]] = value.strip("'\"")
    file = folder / "pip.conf"
    file.write_text("[global]\n" + "".join(f"{k} = {v}\n" for k, v in options.items()))
    words = [word for value in options.values() for word in value.split()]
    # Pages of an index in a folder name files beside it.
    named = [str(Path(word[7:]).parent) if word.startswith("file:///") else word for word in words]
    paths = {Path(word) for word in [*named, "/etc/ssl/certs"] if word.startswith("/")}
    mounted = [f"--volume={path}:{path}:ro" for path in sorted(paths) if path.exists()]
    return [f"--volume={file}:/etc/pip.conf:ro", *mounted]


class Podman:
    """Podman with a storage of its own."""

    def __init__(self, storage: Path, folder: Path) -> None:
        self._storage = storage
        # Podman's own are more than a machine that is itself a container may ask for.
        config = folder / "containers.conf"
        config.write_text(
            '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
        )
        temporary = storage / "tmp"  # caches of a build lie there
        temporary.mkdir(parents=True, exist_ok=True)
        self._environment = os.environ | {"CONTAINERS_CONF": str(config), "TMPDIR": str(temporary)}
        self._command = [
            *("podman", "--root", str(storage / "images"), "--runroot", str(storage / "run")),
            *("--runtime", "runc", "--cgroup-manager", "cgroupfs"),
        ]

    def __call__(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return run(*self._command, *arguments, env=self._environment, **options)

    def build(self, context: Path, *options: str) -> str | None:
        """Build; return the end of what it says if it fails."""
        words = [*self._command, "build", "--format=docker", "--network=host", "--pull=never"]
        done = subprocess.run(
            [*words, *options, str(context)],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        return done.stdout[-4000:] if done.returncode != 0 else None

    def close(self) -> None:
        """Unmount and delete all that is in the storage."""
        self("rm", "--all", "--force", "--volumes")
        self("system", "reset", "--force")
        shutil.rmtree(self._storage, ignore_errors=True)


def base_images() -> set[str]:
    """Images of other people that the Dockerfile begins with."""
    stages, bases = set(), set()
    for found in re.finditer(
        r"^FROM\s+(\S+)(?:\s+AS\s+(\S+))?", DOCKERFILE.read_text(), re.M | re.I
    ):
        bases.add(found[1])
        stages.add(found[2])
    return bases - stages


def prepare(podman: Podman, folder: Path) -> None:
    """Import the stand-in under the names of the base images, and see that anything can be built.

    Raises:
        BrokenError: The Dockerfile begins with what Debian cannot stand in for.
        NoBuilderError: Nothing can be built here.
    """
    for base in base_images():
        if not re.fullmatch(r"python:3\.11(\.\d+)?-slim(-bookworm)?", base):
            raise BrokenError(f"FROM {base}: this check knows Debian 12 with Python 3.11 alone")
        name = f"docker.io/library/{base}"
        if podman("image", "exists", name).returncode != 0:
            done = podman("import", stand_in(), name)
            if done.returncode != 0:
                raise NoBuilderError(f"podman cannot import an image: {done.stderr[-500:]}")
        probe = folder / "probe"
        probe.mkdir(exist_ok=True)
        (probe / "Dockerfile").write_text(_BUILDER.format(base=base))
        if said := podman.build(probe, "--tag=localhost/probe"):
            raise NoBuilderError(f"podman cannot build an image of one line: {said[-500:]}")
        done = podman("run", "--rm", "--network=host", "localhost/probe", "id", "-u")
        if done.stdout.strip() != "12345":
            raise NoBuilderError(f"podman cannot run a container: {done.stderr[-500:]}")


def check_configuration(podman: Podman) -> None:
    """What the image says of itself.

    Raises:
        BrokenError: It is not what the compose file and the chart rely on.
    """
    [image] = json.loads(podman("image", "inspect", IMAGE).stdout)
    config = image["Config"]
    say(f"{image['Size'] / 1e9:.2f} GB with what stands in for the base image")
    expected: dict[str, Any] = {
        "User": UID,
        "Entrypoint": ["handful"],
        "Cmd": ["serve"],
        "ExposedPorts": {"8000/tcp": {}},
        "Volumes": {"/data": {}},
    }
    for name, value in expected.items():
        if config.get(name) != value:
            raise BrokenError(f"{name} of the image is {config.get(name)}, not {value}")
    for variable in ("HANDFUL_HOST=0.0.0.0", "HANDFUL_PORT=8000", "HANDFUL_DATA_DIR=/data"):
        if variable not in config["Env"]:
            raise BrokenError(f"{variable} is not in the image's environment")


def healthcheck(podman: Podman) -> Sequence[str]:
    """The command of HEALTHCHECK."""
    [image] = json.loads(podman("image", "inspect", IMAGE).stdout)
    found = image.get("HealthCheck") or image.get("Healthcheck") or {}
    test: list[str] = found.get("Test", [])
    if test[:1] != ["CMD"]:
        raise BrokenError(f"HEALTHCHECK of the image is {test}, and no command")
    return test[1:]


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def check_contents(podman: Podman) -> None:
    """What is in the image: packages, a bill of them, and nothing that helps an intruder.

    Raises:
        BrokenError: There is more, or less.
    """
    done = podman("run", "--rm", "--network=none", "--entrypoint=python", IMAGE, "-c", _CONTENTS)
    if done.returncode != 0:
        raise BrokenError(f"the image does not tell what it holds: {done.stderr}")
    told = json.loads(done.stdout)
    for kind in ("tools", "modules", "set-user", "source"):
        if told[kind]:
            raise BrokenError(f"{kind} that the image does not need: {told[kind]}")
    bill = told["bill"]
    root = bill["metadata"]["component"]["name"]
    names = sorted([root, *(one["name"] for one in bill["components"])])
    if names != told["installed"]:
        raise BrokenError(f"the bill of materials has {names}, installed are {told['installed']}")
    say(f"{len(names)} packages in its bill of materials")


def check_service(podman: Podman) -> None:
    """Run it locked down, as chart and compose file do; ask it; end it.

    Raises:
        BrokenError: It does not start, answer or end as it should.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    done = podman(
        *("run", "--detach", "--name=handful", "--network=host", "--no-healthcheck"),
        *("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *(f"--env=HANDFUL_PORT={port}", "--env=HANDFUL_HOST=127.0.0.1", IMAGE),
    )
    if done.returncode != 0:
        raise BrokenError(f"the image does not run: {done.stderr}")

    def state() -> dict[str, Any]:
        [container] = json.loads(podman("container", "inspect", "handful").stdout)
        return dict(container["State"])

    def log() -> str:
        done = podman("logs", "handful")
        return (done.stdout + done.stderr)[-3000:]

    try:
        while True:
            try:
                with urlopen(f"{url}/readyz", timeout=5) as answer:
                    if answer.status == 200:
                        break
            except (URLError, OSError):
                pass
            if not state()["Running"] or time.monotonic() - began > _PATIENCE:
                raise BrokenError(f"the service does not become ready:\n{log()}")
            time.sleep(0.2)
        say(f"ready after {time.monotonic() - began:.1f} s")
        who = podman("exec", "handful", "id", "-u").stdout.strip()
        if who != UID:
            raise BrokenError(f"the service runs as user {who}, not {UID}")
        asked = podman(
            *("exec", f"--env=URL={url}", "handful", "python", "-c", CHART_TEST.read_text())
        )
        if asked.returncode != 0:
            raise BrokenError(f"it does not register and predict: {asked.stderr}\n{log()}")
        say(asked.stdout.strip())
        health = podman("exec", "handful", *healthcheck(podman))
        if health.returncode != 0:
            raise BrokenError(f"HEALTHCHECK says it is ill: {health.stderr}")
        memory = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{state()['Pid']}/status").read_text())
        if memory:
            say(f"{int(memory[1]) / 2**20:.2f} GiB of memory at most")
        podman("kill", "--signal=TERM", "handful")
        done = podman("wait", "handful", timeout=60)
        if (code := done.stdout.strip()) != "0":
            raise BrokenError(f"after SIGTERM it ends with {code}, not 0:\n{log()}")
        if "Traceback" in log():
            raise BrokenError(f"its log has a traceback:\n{log()}")
    except subprocess.TimeoutExpired as error:
        raise BrokenError("it does not end within 60 s after SIGTERM") from error
    finally:
        podman("rm", "--force", "--volumes", "handful")


def check(podman: Podman, folder: Path, layers: str) -> None:
    """All of it.

    Raises:
        BrokenError: The Dockerfile, or the image, is broken.
        NoBuilderError: Nothing can be built here.
    """
    install_tools()
    prepare(podman, folder)
    began = time.monotonic()
    say("building, which takes minutes")
    if said := podman.build(ROOT, layers, *pip_configuration(folder), f"--tag={IMAGE}"):
        raise BrokenError(f"the Dockerfile cannot be built:\n{said}")
    say(f"built in {time.monotonic() - began:.0f} s")
    check_configuration(podman)
    check_contents(podman)
    check_service(podman)


def main() -> int:
    """Check; say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--storage", type=Path, help="folder in which layers are kept")
    kept: Path | None = parser.parse_args().storage
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Not in /tmp, which may be in memory.
    with TemporaryDirectory(prefix="handful-image-check-", dir="/var/tmp") as name:
        folder = Path(name)
        podman = Podman(kept or folder / "storage", folder)
        try:
            check(podman, folder, "--layers" if kept else "--layers=false")
        except NoBuilderError as error:
            say(f"NOT CHECKED, as no image can be built on this machine: {error}")
            return 0
        except BrokenError as error:
            say(f"FAILED: {error}")
            return 1
        finally:
            if not kept and shutil.which("podman"):
                podman.close()
    say("the image is well")
    return 0


if __name__ == "__main__":
    sys.exit(main())
