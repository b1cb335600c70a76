"""The Helm chart: what it renders, for which Kubernetes takes it, and what it refuses."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.deploy.helm import (
    CHART,
    EXAMPLES,
    Manifest,
    RefusedError,
    container,
    environment,
    helm,
    needs_helm,
    one,
    render,
)
from tests.deploy.kubernetes import VERSIONS, validate

pytestmark = needs_helm
POSTGRESQL = {"postgresql": {"existingSecret": "handful-postgresql"}}
ALL = [None, *EXAMPLES]
DEPLOY = CHART.parents[1]


def named(file: Path | None) -> str:
    return file.stem if file else "defaults"


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Manifest]]:
    """The manifests of the defaults and of each example."""
    return {named(file): render(file) for file in ALL}


def pods(manifests: list[Manifest]) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield manifest["spec"]
        elif manifest["kind"] == "Deployment":
            yield manifest["spec"]["template"]["spec"]


@pytest.mark.parametrize("file", ALL, ids=named)
def test_lint(file: Path | None) -> None:
    helm("lint", "--strict", CHART, *(("--values", file) if file else ()))


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_what_is_rendered(
    rendered: dict[str, list[Manifest]], version: str
) -> None:
    for manifests in rendered.values():
        for manifest in manifests:
            validate(manifest, version)


@pytest.mark.parametrize("kind", ["Deployment", "ServiceMonitor", "Ingress", "NetworkPolicy"])
def test_the_schemas_refuse_what_they_do_not_know(
    rendered: dict[str, list[Manifest]], kind: str
) -> None:
    wrong = copy.deepcopy(one(rendered["postgresql-values"], kind))
    wrong["spec"]["selektor"] = {}
    for version in VERSIONS:
        with pytest.raises(jsonschema_rs.ValidationError, match="selektor"):
            validate(wrong, version)


@pytest.mark.parametrize("file", ALL, ids=named)
def test_pods_are_locked_down(rendered: dict[str, list[Manifest]], file: Path | None) -> None:
    """The restricted profile of Kubernetes' pod security standards, and no way to write or ask."""
    for pod in pods(rendered[named(file)]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001  # as in the Dockerfile
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPath" in volume for volume in pod.get("volumes", []))
        for one_of_it in pod["containers"]:
            assert one_of_it["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert one_of_it["resources"]["requests"]["memory"]
            assert one_of_it["resources"]["limits"]["memory"]


def test_what_selects_pods_selects_those_of_the_service_and_no_others(
    rendered: dict[str, list[Manifest]],
) -> None:
    manifests = rendered["postgresql-values"]
    deployment = one(manifests, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    test_labels = one(manifests, "Pod")["metadata"]["labels"]
    selectors = [
        deployment["selector"]["matchLabels"],
        one(manifests, "Service")["spec"]["selector"],
        one(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(
            spread["labelSelector"]["matchLabels"]
            for spread in deployment["template"]["spec"]["topologySpreadConstraints"]
        ),
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= test_labels.items()
    service = one(manifests, "Service")
    monitor = one(manifests, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    [allowed, *_] = one(manifests, "NetworkPolicy")["spec"]["ingress"][0]["from"]
    assert allowed["podSelector"]["matchLabels"].items() <= test_labels.items()


def test_sqlite_is_one_pod_that_is_recreated(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["defaults"]
    deployment = one(manifests, "Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    claim = one(manifests, "PersistentVolumeClaim")["metadata"]
    assert claim["annotations"] == {"helm.sh/resource-policy": "keep"}
    [data] = [v for v in deployment["template"]["spec"]["volumes"] if v["name"] == "data"]
    assert data["persistentVolumeClaim"]["claimName"] == claim["name"]
    assert "HANDFUL_DATABASE_URL" not in environment(manifests)


def test_the_url_of_postgresql_is_a_reference_alone(rendered: dict[str, list[Manifest]]) -> None:
    for name, key in [("postgresql-values", "url"), ("single-sign-on-values", "uri")]:
        manifests = rendered[name]
        assert environment(manifests)["HANDFUL_DATABASE_URL"] == {
            "secretKeyRef": {"name": "handful-postgresql", "key": key}
        }
        assert not any(manifest["kind"] == "Secret" for manifest in manifests)
        assert one(manifests, "Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"


def test_an_autoscaler_alone_says_how_many(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["postgresql-values"]
    deployment = one(manifests, "Deployment")
    assert "replicas" not in deployment["spec"]
    scaler = one(manifests, "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 12)
    assert [metric["type"] for metric in scaler["metrics"]] == ["Resource", "Pods"]


def test_the_metric_to_scale_by_is_one_of_the_service() -> None:
    from service.encoding.pass_metrics import WAITING

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    [metric] = WAITING.collect()
    assert values["autoscaling"]["waitingImages"]["metric"] == metric.name


@pytest.mark.parametrize(("seconds", "hook"), [(None, 5), (25, 5), (0.5, 1), (120, 30)])
def test_the_grace_period_holds_the_hook_and_the_shutdown(seconds: float | None, hook: int) -> None:
    settings = {} if seconds is None else {"SHUTDOWN_SECONDS": seconds}
    manifests = render({"settings": settings, "shutdown": {"preStopSeconds": hook}})
    [pod, _] = pods(manifests)
    assert pod["terminationGracePeriodSeconds"] >= (seconds or 25) + hook
    assert container(manifests)["lifecycle"] == {"preStop": {"sleep": {"seconds": hook}}}


def test_probes_ask_what_answers_to_any_name(rendered: dict[str, list[Manifest]]) -> None:
    service = container(rendered["postgresql-values"])
    paths = {
        probe: service[f"{probe}Probe"]["httpGet"]["path"]
        for probe in ("startup", "liveness", "readiness")
    }
    assert paths == {"startup": "/readyz", "liveness": "/healthz", "readiness": "/readyz"}
    startup = service["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300


def test_a_gpu_is_a_limit_beside_the_others(rendered: dict[str, list[Manifest]]) -> None:
    service = container(rendered["gpu-values"])
    assert service["resources"]["limits"] == {"memory": "16Gi", "nvidia.com/gpu": 1}
    assert "@sha256:" in service["image"]
    assert container(render({"gpu": {"enabled": True}}))["image"].endswith("-gpu")


def test_versions_are_those_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]


def test_the_network_policy_lets_out_what_the_service_needs_and_no_more(
    rendered: dict[str, list[Manifest]],
) -> None:
    egress = one(rendered["postgresql-values"], "NetworkPolicy")["spec"]["egress"]
    ports = [sorted(port["port"] for port in rule["ports"]) for rule in egress]
    assert ports == [[53, 53], [5432], [443], [4318]]
    assert egress[1]["to"] == [{"ipBlock": {"cidr": "10.20.0.0/24"}}]
    bare = render({"networkPolicy": {"enabled": True}})
    [names] = one(bare, "NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicas": 2}, "set postgresql.existingSecret"),
        ({"autoscaling": {"enabled": True}}, "set postgresql.existingSecret"),
        ({"replicas": -1}, "/replicas"),
        ({"replica": 1}, "'replica' not allowed"),
        ({"persistence": {"sise": "1Gi"}}, "'sise' not allowed"),
        ({"settings": {"MAX_WAITNG": 5}}, "'MAX_WAITNG' not allowed"),
        ({"settings": {"MAX_WAITING": 0}}, "MAX_WAITING"),
        ({"settings": {"MAX_WAITING": "many"}}, "MAX_WAITING"),
        ({"settings": {"AUTH": "password"}}, "AUTH"),
        ({"settings": {"DATABASE_URL": "postgresql://u:p@h/d"}}, "'DATABASE_URL' not allowed"),
        ({"extraEnv": [{"name": "HANDFUL_DATABASE_URL", "value": "x"}]}, "existingSecret"),
        ({"extraEnv": [{"name": "HANDFUL_PORT", "value": "9"}]}, "set by the chart"),
        (
            {"extraEnv": [{"name": "HANDFUL_AUTH", "value": "keys"}], "settings": {"AUTH": "keys"}},
            "one of them",
        ),
        ({"settings": {"AUTH": "proxy"}}, "settings.TRUSTED_PROXIES"),
        (
            {"settings": {"AUTH": "keys"}, "metrics": {"serviceMonitor": {"enabled": True}}},
            "metrics.serviceMonitor.existingSecret",
        ),
        (
            {
                "settings": {"AUTH": "proxy", "TRUSTED_PROXIES": "10.0.0.0/8"},
                "metrics": {"serviceMonitor": {"enabled": True}},
            },
            "metrics.serviceMonitor.enabled to false",
        ),
        (
            {**POSTGRESQL, "autoscaling": {"enabled": True, "minReplicas": 9}},
            "autoscaling.minReplicas",
        ),
        (
            {**POSTGRESQL, "autoscaling": {"enabled": True, "cpuUtilization": None}},
            "autoscaling.waitingImages",
        ),
        (
            {
                **POSTGRESQL,
                "autoscaling": {"enabled": True},
                "resources": {"requests": {"cpu": None}},
            },
            "resources.requests.cpu",
        ),
        ({"podDisruptionBudget": {"minAvailable": 1}}, "set the other one to null"),
        ({"podDisruptionBudget": {"maxUnavailable": None}}, "podDisruptionBudget.enabled"),
        ({"ingress": {"enabled": True}}, "ingress.hosts"),
        ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs"),
        ({"image": {"digest": "sha256:abc"}}, "digest"),
        ({"image": {"repository": "handful:latest"}}, "repository"),
        ({"persistence": {"size": "ten"}}, "size"),
        ({"probes": {"liveness": {"timeoutSeconds": 0}}}, "timeoutSeconds"),
        ({"service": {"port": 70_000}}, "port"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_values_that_cannot_be_are_refused_in_words(values: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render(values)
    assert said in str(refused.value)


def test_the_notes_say_what_comes_next() -> None:
    def notes(*options: str) -> str:
        text = helm("install", "shop", CHART, "--dry-run=client", *options)
        return text.split("NOTES:")[1]

    assert "whoever reaches the Service may do everything" in notes()
    with_keys = notes("--set", "settings.AUTH=keys")
    assert "handful keys create --scopes admin,read,predict,write" in with_keys
    assert "WARNING" not in with_keys
    assert "lost with the pod" in notes("--set", "persistence.enabled=false")


def test_alerts_and_dashboard_are_those_of_the_project() -> None:
    asked = {"prometheusRule": {"enabled": True, "labels": {"release": "x"}}}
    manifests = render({"metrics": {**asked, "dashboard": {"enabled": True}}})
    rules = one(manifests, "PrometheusRule")
    written = (DEPLOY / "prometheus" / "handful.rules.yml").read_text()
    assert rules["spec"] == yaml.safe_load(written)
    assert rules["metadata"]["labels"]["release"] == "x"
    dashboard = one(manifests, "ConfigMap")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    drawn = json.loads((DEPLOY / "grafana" / "handful.json").read_text())
    assert json.loads(dashboard["data"]["handful.json"]) == drawn
    for version in VERSIONS:
        validate(rules, version)
        validate(dashboard, version)
    # Alerts go by the job, which is this label of the Service.
    monitor = one(render({"metrics": {"serviceMonitor": {"enabled": True}}}), "ServiceMonitor")
    label = monitor["spec"]["jobLabel"]
    assert one(manifests, "Service")["metadata"]["labels"][label] == "handful"
    assert 'job=~"handful.*"' in written
