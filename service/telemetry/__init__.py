"""Telemetry: traces of requests (OpenTelemetry), logs of a process."""
