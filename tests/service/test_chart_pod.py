"""What the chart's test pod runs, against a real service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx

from tests.deploy.helm import needs_helm, one, render
from tests.service.server import Server, run_handful


def run_test_pod(url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as the pod does."""
    [container] = one(render(), "Pod")["spec"]["containers"]
    assert container["command"] == ["python", "-c"]
    return subprocess.run(
        [sys.executable, "-c", *container["args"]],
        env={"PATH": os.environ["PATH"], "URL": url, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_helm
def test_it_registers_predicts_and_leaves_nothing(server: Server, http: httpx.Client) -> None:
    before = http.get("/v1/classifiers").json()
    done = run_test_pod(server.url)
    assert done.returncode == 0, done.stderr
    assert "red is red" in done.stdout
    assert http.get("/v1/classifiers").json() == before


@needs_helm
def test_it_fails_where_nobody_answers_or_strangers_are_let_in(server: Server) -> None:
    assert run_test_pod("http://127.0.0.1:9").returncode != 0
    done = run_test_pod(server.url, AUTH="keys")
    assert done.returncode != 0
    assert "strangers are not refused" in done.stderr


@needs_helm
def test_with_a_key_it_does_all_and_without_it_sees_that_strangers_are_refused(
    tmp_path: Path, vit: str
) -> None:
    made = run_handful(
        "keys", "create", "--scopes", "read,predict,write", "--name", "chart", data_dir=tmp_path
    )
    key = made.stdout.strip().splitlines()[-1].split()[-1]
    with Server.ready(tmp_path, backbone=vit, auth="keys") as running:
        done = run_test_pod(running.url, AUTH="keys", KEY=key)
        assert done.returncode == 0, done.stderr
        assert "red is red" in done.stdout
        stranger = run_test_pod(running.url, AUTH="keys")
        assert stranger.returncode == 0, stranger.stderr
        assert "strangers are refused (401)" in stranger.stdout
        assert run_test_pod(running.url, AUTH="keys", KEY=key[:-1] + "x").returncode != 0
        running.stop()
