"""The chart, rendered by the real Helm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "handful"
EXAMPLES = sorted((CHART / "ci").glob("*.yaml"))
HELM = Path(sys.executable).with_name("helm")
#: Where continuous integration has no Helm, its tests fail.
needs_helm = pytest.mark.skipif(
    not HELM.exists() and not os.environ.get("CI"),
    reason="no Helm in the environment; to run the tests of the chart: make helm",
)
Manifest = dict[str, Any]


class RefusedError(Exception):
    """Helm does not render it, and says why."""


def helm(*arguments: str | Path) -> str:
    """What Helm prints.

    Raises:
        RefusedError: With what it says, where it ends with another status than 0.
    """
    done = subprocess.run(
        [HELM, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise RefusedError(done.stderr)
    return done.stdout


def render(values: dict[str, Any] | Path | None = None, *options: str) -> list[Manifest]:
    """The manifests of the chart with these values, tests among them."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "values.yaml"
        file.write_text(json.dumps(values) if isinstance(values, dict) else "")
        used = values if isinstance(values, Path) else file
        text = helm("template", "shop", CHART, "--namespace", "vision", "--values", used, *options)
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def one(manifests: list[Manifest], kind: str) -> Manifest:
    """The only manifest of a kind."""
    [found] = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found


def container(manifests: list[Manifest]) -> dict[str, Any]:
    """The service's container."""
    [found] = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(manifests: list[Manifest]) -> dict[str, Any]:
    """Its variables: texts, or where they come from."""
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container(manifests)["env"]}
