"""Schemas of Kubernetes, strict: what they do not know is refused, as by ``kubectl --validate``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urljoin

import jsonschema_rs

#: The oldest version that the chart is for, to the newest whose schemas are installed.
VERSIONS = ("1.30.0", "1.33.0", "1.35.0", "1.37.0")

_NAMED = {"type": "object", "required": ["name"]}
_STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}


def _closed(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def _resource(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _closed(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": api_version},
        kind={"const": kind},
        metadata=_closed(
            ["name"],
            name={"type": "string", "maxLength": 253},
            namespace={"type": "string"},
            labels=_STRINGS,
            annotations=_STRINGS,
        ),
        spec=spec,
    )


_DURATION = {"type": "string", "pattern": r"^(0|([0-9]+ms|[0-9]+[smhdw])+)$"}
# What the chart writes of the kinds that are no part of Kubernetes, of their references:
# prometheus-operator.dev/docs/api-reference/api and gateway-api.sigs.k8s.io/reference/spec.
_OTHERS = {
    "ServiceMonitor": _resource(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        _closed(
            ["selector", "endpoints"],
            jobLabel={"type": "string"},
            selector=_closed(matchLabels=_STRINGS),
            namespaceSelector=_closed(matchNames={"type": "array", "items": {"type": "string"}}),
            endpoints={
                "type": "array",
                "minItems": 1,
                "items": _closed(
                    port={"type": "string"},
                    path={"type": "string"},
                    interval=_DURATION,
                    scrapeTimeout=_DURATION,
                    authorization=_closed(
                        type={"type": "string"},
                        credentials=_closed(
                            ["name", "key"], name={"type": "string"}, key={"type": "string"}
                        ),
                    ),
                    metricRelabelings={"type": "array", "items": {"type": "object"}},
                ),
            },
        ),
    ),
    "PrometheusRule": _resource(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        _closed(
            ["groups"],
            groups={
                "type": "array",
                "items": _closed(
                    ["name", "rules"],
                    name={"type": "string", "minLength": 1},
                    interval=_DURATION,
                    rules={
                        "type": "array",
                        "items": {
                            **_closed(
                                ["expr"],
                                alert={"type": "string"},
                                record={"type": "string"},
                                expr={"type": "string"},
                                **{"for": _DURATION, "keep_firing_for": _DURATION},
                                labels=_STRINGS,
                                annotations=_STRINGS,
                            ),
                            "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
                        },
                    },
                ),
            },
        ),
    ),
    "HTTPRoute": _resource(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        _closed(
            ["parentRefs", "rules"],
            parentRefs={"type": "array", "items": _NAMED, "minItems": 1, "maxItems": 32},
            hostnames={"type": "array", "items": {"type": "string"}, "maxItems": 16},
            rules={
                "type": "array",
                "items": _closed(
                    backendRefs={
                        "type": "array",
                        "items": _closed(
                            ["name", "port"], name={"type": "string"}, port={"type": "integer"}
                        ),
                    }
                ),
            },
        ),
    ),
}


@cache
def _definitions(version: str) -> Any:
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
    return folder, json.loads((folder / "_definitions.json").read_text())


@cache
def _validator(version: str, kind: str, api_version: str) -> Any:
    if kind in _OTHERS:
        return jsonschema_rs.validator_for(_OTHERS[kind])
    folder, definitions = _definitions(version)
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], number) if part)
    schema = json.loads((folder / f"{name}.json").read_text())
    registry = jsonschema_rs.Registry([(definitions["$id"], definitions)])
    # Relative references are to _definitions.json of the same folder, however deep the schema's is.
    schema["$id"] = urljoin(definitions["$id"], name)
    return jsonschema_rs.validator_for(schema, registry=registry)


def validate(manifest: dict[str, Any], version: str) -> None:
    """Whether that version of Kubernetes takes a manifest.

    Raises:
        jsonschema_rs.ValidationError: It does not, and where.
        FileNotFoundError: It has no such kind.
    """
    _validator(version, manifest["kind"], manifest["apiVersion"]).validate(manifest)
