"""Values that the schema allows, drawn: rendered and valid, or refused for a known reason."""

from __future__ import annotations

import os
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.hosts import host_of
from service.settings import Settings
from tests.deploy.helm import RefusedError, environment, needs_helm, one, render
from tests.deploy.kubernetes import VERSIONS, validate

pytestmark = needs_helm

names = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)
labels = st.dictionaries(names, names, max_size=2)
counts = st.integers(1, 9)
peers = st.lists(
    st.sampled_from(
        [
            {"ipBlock": {"cidr": "10.0.0.0/8"}},
            {"podSelector": {}},
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "x"}}},
        ]
    ),
    max_size=2,
)
shares = st.one_of(st.integers(0, 9), st.from_regex(r"[1-9][0-9]?%", fullmatch=True))


def some(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these values, the others as they are by default."""
    return st.fixed_dictionaries({}, optional=strategies)


def egress() -> st.SearchStrategy[dict[str, Any]]:
    return some(enabled=st.booleans(), port=st.integers(1, 65535), to=peers)


values = some(
    nameOverride=names,
    fullnameOverride=names,
    image=some(
        tag=names, digest=st.just("sha256:" + 64 * "a"), pullPolicy=st.sampled_from(["Always"])
    ),
    replicas=st.integers(0, 5),
    postgresql=some(existingSecret=names, urlKey=names),
    persistence=some(
        enabled=st.booleans(),
        existingClaim=names,
        size=st.sampled_from(["1Gi", "500M"]),
        accessModes=st.sampled_from([["ReadWriteMany"], ["ReadWriteOncePod"]]),
        keep=st.booleans(),
        annotations=labels,
    ),
    cache=some(existingClaim=names, sizeLimit=st.just("1Gi")),
    tmp=some(medium=st.sampled_from(["", "Memory"])),
    gpu=some(enabled=st.booleans(), count=counts),
    autoscaling=some(
        enabled=st.booleans(),
        minReplicas=counts,
        maxReplicas=counts,
        cpuUtilization=st.one_of(st.none(), counts),
        waitingImages=some(enabled=st.booleans(), perPod=counts),
    ),
    podDisruptionBudget=some(
        enabled=st.booleans(),
        maxUnavailable=st.one_of(st.none(), shares),
        minAvailable=st.one_of(st.none(), shares),
    ),
    shutdown=some(preStopSeconds=counts),
    service=some(type=st.sampled_from(["NodePort", "LoadBalancer"]), annotations=labels),
    ingress=some(enabled=st.booleans(), hosts=st.just([{"host": "a.example.com", "path": "/x"}])),
    httpRoute=some(enabled=st.booleans(), parentRefs=st.just([{"name": "public"}])),
    networkPolicy=some(
        enabled=st.booleans(),
        ingress=some(namespaces=st.lists(names, max_size=2), peers=peers),
        egress=some(s3=egress(), otlp=egress()),
    ),
    metrics=some(
        serviceMonitor=some(enabled=st.booleans(), labels=labels, existingSecret=names),
        prometheusRule=some(enabled=st.booleans()),
        dashboard=some(enabled=st.booleans()),
    ),
    serviceAccount=some(create=st.booleans(), name=names, annotations=labels),
    podLabels=labels,
    podAnnotations=labels,
    nodeSelector=labels,
    priorityClassName=names,
    topologySpreadConstraints=st.sampled_from([None, []]),
    settings=some(AUTH=st.sampled_from(["none", "keys", "proxy"]), TRUSTED_PROXIES=st.just(["*"])),
)


def refused_for(drawn: dict[str, Any]) -> bool:
    """Whether the chart must refuse them: what README and docs say goes together."""

    def of(path: str, default: Any) -> Any:
        found: Any = drawn
        for part in path.split("."):
            if part not in found:
                return default
            found = found[part]
        return found

    scaled = of("autoscaling.enabled", default=False)
    several = scaled or of("replicas", 1) > 1
    auth = of("settings.AUTH", "none")
    monitored = of("metrics.serviceMonitor.enabled", default=False)
    cpu = of("autoscaling.cpuUtilization", 75)
    budget = "podDisruptionBudget"
    budgets = [of(f"{budget}.maxUnavailable", 1), of(f"{budget}.minAvailable", None)]
    return any(
        [
            several and not of("postgresql.existingSecret", None),
            auth == "proxy" and (monitored or not of("settings.TRUSTED_PROXIES", None)),
            auth == "keys" and monitored and not of("metrics.serviceMonitor.existingSecret", None),
            scaled and of("autoscaling.minReplicas", 2) > of("autoscaling.maxReplicas", 8),
            scaled and cpu is None and not of("autoscaling.waitingImages.enabled", default=False),
            of(f"{budget}.enabled", default=True) and budgets.count(None) != 1,
            of("ingress.enabled", default=False) and not of("ingress.hosts", None),
            of("httpRoute.enabled", default=False) and not of("httpRoute.parentRefs", None),
        ]
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values)
def test_drawn_values_are_rendered_and_valid_or_refused(drawn: dict[str, Any]) -> None:
    note(str(drawn))
    if refused_for(drawn):
        with pytest.raises(RefusedError, match="handful/templates"):
            render(drawn)
        return
    manifests = render(drawn)
    for manifest in manifests:
        validate(manifest, VERSIONS[0])
        validate(manifest, VERSIONS[-1])
    deployment = one(manifests, "Deployment")["spec"]
    assert (deployment["strategy"]["type"] == "Recreate") == (
        not drawn.get("postgresql", {}).get("existingSecret")
    )
    claims = [m["metadata"]["name"] for m in manifests if m["kind"] == "PersistentVolumeClaim"]
    volumes = deployment["template"]["spec"]["volumes"]
    mounted = [
        v["persistentVolumeClaim"]["claimName"] for v in volumes if "persistentVolumeClaim" in v
    ]
    assert set(claims) <= set(mounted)


def read(variables: dict[str, Any]) -> Settings:
    """The settings as the service reads them of the container's variables."""
    texts = {name: value for name, value in variables.items() if isinstance(value, str)}
    with patch.dict(os.environ, texts, clear=True):
        return Settings()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    some(
        MAX_WAITING=st.integers(1, 2**31),
        CLASSIFIER_MEMORY=st.integers(1, 2**48),
        MAX_JOB_BYTES=st.integers(2**30, 2**52),
        TUNING_SHARE=st.floats(0.0001, 1),
        HISTORY_DAYS=st.one_of(st.integers(0, 1000), st.floats(0, 1000)),
        DATABASE_SECONDS=st.floats(0.001, 1e6),
        STORE_IMAGES=st.booleans(),
        BACKBONE=st.sampled_from(["lite", "hf-hub:a/b: c", "local-dir:/x y\"z'", "{{ .Values }}"]),
        CORS_ORIGINS=st.lists(st.sampled_from(["https://a.example", "*"]), min_size=1, max_size=2),
        TRUSTED_PROXIES=st.just(["10.0.0.0/8", "fd00::/8"]),
        TENANT_IMAGES=st.one_of(st.none(), st.integers(1, 2**40)),
    )
)
def test_the_service_reads_the_settings_that_were_given(given_settings: dict[str, Any]) -> None:
    read_ones = read(environment(render({"settings": given_settings})))
    for name, value in given_settings.items():
        assert getattr(read_ones, name.lower()) == value


def test_the_service_goes_by_its_names_in_the_cluster_and_by_the_address_of_its_pod() -> None:
    variables = environment(render({"settings": {"ALLOWED_HOSTS": ["a.example.com"]}}))
    assert variables["POD_IP"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    for address in ("10.1.2.3", "fd00::7"):
        hosts = variables["HANDFUL_ALLOWED_HOSTS"].replace("$(POD_IP)", address)
        allowed = read({"HANDFUL_ALLOWED_HOSTS": hosts}).allowed_hosts
        asked = {"a.example.com", "shop-handful", "shop-handful.vision.svc:80", "localhost:8000"}
        asked.add(f"[{address}]:8000" if ":" in address else f"{address}:8000")
        assert {host_of(header) for header in asked} <= set(allowed)
    assert "HANDFUL_ALLOWED_HOSTS" not in environment(render())


def test_what_the_schema_refuses_the_service_would_not_take_either() -> None:
    for name, value in {"MAX_WAITING": "0", "TUNING_SHARE": "2", "AUTH": "x"}.items():
        with pytest.raises(RefusedError):
            render({"settings": {name: value}})
        with pytest.raises(ValidationError):
            read({f"HANDFUL_{name}": value})
