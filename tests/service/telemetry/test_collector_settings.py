"""Where traces go, by the variables of OpenTelemetry."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from service.telemetry import tracing
from service.telemetry.tracing import TelemetryError, collector

HERE = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}, HERE),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HERE + "/v1/traces"}, HERE + "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "True"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_TRACES_EXPORTER": "otlp"}, HERE),
    ],
)
def test_the_collector_is_the_one_that_is_named(
    environment: dict[str, str], found: str | None
) -> None:
    assert collector(environment) == found


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "Handful has otlp"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "me:geheim@collector:4318"}, "collector:4318"),
    ],
)
def test_what_cannot_be_had_is_told_before_anything_starts(more: dict[str, str], said: str) -> None:
    with pytest.raises(TelemetryError, match=said) as told:
        collector({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE} | more)
    assert "geheim" not in str(told.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(tracing, "find_spec", nothing)
    with pytest.raises(TelemetryError, match=r"pip install 'handful\[otel\]'"):
        collector({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE})
    assert collector({}) is None


def test_nothing_is_started_where_no_collector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.setitem(sys.modules, "service.telemetry.sdk", None)  # importing it would raise
    assert tracing.start_tracing("service") is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", HERE)
    with pytest.raises(ImportError):
        tracing.start_tracing("service")
