"""The compose file, resolved by podman-compose for each profile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PODMAN_COMPOSE = Path(sys.executable).with_name("podman-compose")


@pytest.fixture
def resolve(tmp_path: Path) -> Any:
    """What a profile starts, by the names of services."""
    # It wants to know which engine there is before it reads anything, and asks no more of it here.
    engine = tmp_path / "podman"
    engine.write_text("#!/bin/sh\necho podman version 5.0.0\n")
    engine.chmod(0o755)

    def resolved(*profiles: str, **variables: str) -> dict[str, dict[str, Any]]:
        options = [word for profile in profiles for word in ("--profile", profile)]
        done = subprocess.run(
            [PODMAN_COMPOSE, "--file", ROOT / "docker-compose.yml", *options, "config"],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return dict(yaml.safe_load(done.stdout)["services"])

    return resolved


@pytest.mark.parametrize(
    ("profile", "names", "faiss"),
    [
        ("cpu", {"handful"}, "cpu"),
        ("gpu", {"handful-gpu"}, "gpu"),
        ("postgres", {"handful-postgres", "postgres"}, "cpu"),
        ("label-studio", {"handful-label-studio", "label-studio"}, "cpu"),
    ],
)
def test_a_profile_starts_one_service(
    resolve: Any, profile: str, names: set[str], faiss: str
) -> None:
    services = resolve(profile)
    assert set(services) == names
    for name, service in services.items():
        if name == "label-studio":
            assert service["ports"] == ["127.0.0.1:8080:8080"]
            continue
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        if name == "postgres":
            assert "ports" not in service
        else:
            assert service["ports"] == ["127.0.0.1:8000:8000"]
            assert f"FAISS={faiss}" in service["build"]["args"]
            assert service["environment"]["HANDFUL_ALLOWED_HOSTS"].startswith("localhost,")


def test_without_a_profile_nothing_starts_and_no_two_take_the_same_port(resolve: Any) -> None:
    assert resolve() == {}


def test_over_postgresql_the_password_is_in_files_alone(resolve: Any) -> None:
    services = resolve("postgres")
    service, database = services["handful-postgres"], services["postgres"]
    assert service["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][1] == "pg_isready"
    url, password = "HANDFUL_DATABASE_URL", "POSTGRES_PASSWORD"
    for one, variable in [(service, url), (database, password)]:
        assert variable not in one["environment"]
        file = Path(one["environment"][f"{variable}_FILE"])
        assert file.parent == Path("/run/secrets")
        assert file.name in one["secrets"]


def test_pytorch_may_come_from_pypi(resolve: Any) -> None:
    def index(**variables: str) -> str:
        [found] = [
            arg for arg in resolve("cpu", **variables)["handful"]["build"]["args"] if "TORCH" in arg
        ]
        return str(found)

    assert index() == "TORCH_INDEX=https://download.pytorch.org/whl/cpu"
    assert index(TORCH_INDEX="") == "TORCH_INDEX="
