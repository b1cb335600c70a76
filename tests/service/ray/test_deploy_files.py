"""What is put into a cluster: Ray's own schema takes it, and both files say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("ray", reason="handful[ray] is not installed")

from ray.serve.config import AutoscalingConfig
from ray.serve.schema import DeploymentSchema, ServeApplicationSchema, ServeDeploySchema

from service.environment import PREFIX
from service.ray.application import ENCODER, INGRESS, build
from service.settings import Settings

FOLDER = Path(__file__).parents[3] / "deploy" / "ray"


def serve_file() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / "serve.yaml").read_text())
    return read


def test_ray_takes_the_config_file() -> None:
    [application] = ServeDeploySchema.model_validate(serve_file()).applications
    assert application.import_path == f"{build.__module__}:{build.__name__}"
    assert {one.name for one in application.deployments} == {INGRESS, ENCODER}


def test_no_option_of_it_is_misspelt() -> None:
    """Ray passes over what it does not know."""
    [application] = serve_file()["applications"]
    assert set(application) <= set(ServeApplicationSchema.model_fields)
    for deployment in application["deployments"]:
        assert set(deployment) <= set(DeploymentSchema.model_fields)
        assert set(deployment["autoscaling_config"]) <= set(AutoscalingConfig.model_fields)


def test_its_settings_are_ours() -> None:
    [application] = serve_file()["applications"]
    fields = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    assert set(application["runtime_env"]["env_vars"]) <= fields


def test_the_manifest_deploys_the_config_file() -> None:
    manifest = yaml.safe_load((FOLDER / "rayservice.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("ray.io/v1", "RayService")
    assert manifest["spec"]["serveConfigV2"] == (FOLDER / "serve.yaml").read_text()
    assert "password" not in (FOLDER / "rayservice.yaml").read_text().lower().replace(
        "password in it", ""
    )


def test_each_node_of_the_manifest_has_room_for_replicas() -> None:
    [application] = serve_file()["applications"]
    cpus = {one["name"]: one["ray_actor_options"]["num_cpus"] for one in application["deployments"]}
    manifest = yaml.safe_load((FOLDER / "rayservice.yaml").read_text())
    [group] = manifest["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    [container] = group["template"]["spec"]["containers"]
    node = int(container["resources"]["requests"]["cpu"])
    assert node >= cpus[ENCODER] + 2 * cpus[INGRESS]
    assert group["maxReplicas"] >= 16
