"""What containers may do: in the compose file, in Ray's manifest, and by the image itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
RAY = yaml.safe_load((ROOT / "deploy" / "ray" / "rayservice.yaml").read_text())
DOCKERFILE = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text()).splitlines()
_OPENS_THE_HOST = {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "network_mode"}


@pytest.mark.parametrize("name", COMPOSE)
def test_a_container_of_compose_has_no_privilege(name: str) -> None:
    service = COMPOSE[name]
    assert service["cap_drop"] == ["ALL"]
    # Nothing else: no `seccomp=unconfined` in place of the engine's own profile.
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not _OPENS_THE_HOST & service.keys()
    for volume in service["volumes"]:
        assert re.fullmatch(r"[a-z-]+:/\S+", volume), "a volume of the engine, no path of the host"
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    # Label Studio writes its own folders, and is no image of this project.
    assert service.get("read_only", False) is (name != "label-studio")


def pods() -> Iterator[dict[str, Any]]:
    """Specifications of pods in Ray's manifest."""
    cluster = RAY["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        yield group["template"]["spec"]


def test_pods_of_ray_have_no_privilege() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert all(volume.keys() == {"name", "emptyDir"} for volume in pod["volumes"])


def test_the_image_runs_as_an_ordinary_user_by_number() -> None:
    users = [line for line in DOCKERFILE if line.startswith("USER ")]
    assert users == ["USER 10001"]
    runs = [number for number, line in enumerate(DOCKERFILE) if line.startswith("RUN ")]
    assert DOCKERFILE.index("USER 10001") > runs[-1]


def test_the_image_takes_only_files_of_the_hashes_in_the_lock() -> None:
    """But for PyTorch of an index of its own, whose hashes nobody has told us."""
    parts = [part for line in DOCKERFILE for part in re.split(r"&&|;", line)]
    called = [re.sub(r"\s+", " ", part).strip() for part in parts if "/bin/pip " in part]
    *commands, check = called
    assert check == "/tools/bin/pip --python /opt/handful/bin/python check"
    fetching = [command for command in commands if "--no-index" not in command]
    assert len(fetching) == 4
    [torch] = [command for command in fetching if "--require-hashes" not in command]
    assert '--index-url "$TORCH_INDEX" torch torchvision' in torch
    assert all("--no-deps" in command or '"$@"' in command for command in commands)
    [given] = [line for line in DOCKERFILE if "set -- --python" in line]
    assert "set -- --python /opt/handful/bin/python install --no-deps --only-binary=:all:" in given


def test_the_image_ends_without_what_helps_an_intruder() -> None:
    *_, last = [line for line in DOCKERFILE if line.startswith("RUN ")]
    removed = set(re.findall(r"/\S+", last))
    assert {"/usr/bin/sh", "/usr/bin/bash", "/usr/bin/dash", "/usr/bin/apt*"} <= removed
    assert {"/source", "/usr/local/bin/pip*", "/usr/local/lib/python3*/site-packages"} <= removed
    assert "-perm /6000 -delete" in last
    [ray] = re.findall(r'case ",\$EXTRAS," in (\S+)\) ;;', last)
    assert ray == "*,ray,*"
    # What follows is run without a shell.
    for line in DOCKERFILE:
        if line.startswith(("ENTRYPOINT", "CMD")) or line.lstrip().startswith("CMD"):
            assert "[" in line
