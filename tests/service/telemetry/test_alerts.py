"""Alert rules: each fires where it should and does not where it should not (promtool)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.service.telemetry.prometheus import RULES, binary

JOB = 'job="JOB", instance="a:8000"'
REQUESTS = "http_server_request_duration_seconds"
PREDICT = 'http_route="/v1/classifiers/{name}/predict"'
FAILED = f'{REQUESTS}_count{{{JOB}, http_response_status_code="503"}}'
ANSWERED = f'{REQUESTS}_count{{{JOB}, http_response_status_code="200"}}'


def bucket(bound: str) -> str:
    return f'{REQUESTS}_bucket{{{JOB}, {PREDICT}, le="{bound}"}}'


def of(name: str, labels: str = "") -> str:
    return f"{name}{{{JOB}{', ' if labels else ''}{labels}}}"


# Values are a minute apart, for an hour: what fires, and what is no reason to.
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "HandfulDown": ({of("up"): "0x60"}, {of("up"): "1x60"}),
    "HandfulNotReady": (
        {of("handful_ready_processes"): "0x60"},
        {of("handful_ready_processes"): "0x3 1x57"},
    ),
    "HandfulRestarts": (
        {of("handful_start_time_seconds"): "0+100x60"},
        {of("handful_start_time_seconds"): "100x30 1900x30"},
    ),
    "HandfulErrors": (
        {FAILED: "0+10x60", ANSWERED: "0+90x60"},
        {FAILED: "0+1x60", ANSWERED: "0+99x60"},
    ),
    "HandfulDefects": (
        {of("handful_problems_total", 'type="internal-error"'): "0x50 1x10"},
        {of("handful_problems_total", 'type="overloaded"'): "0+5x60"},
    ),
    "HandfulSlow": (
        {bucket("1"): "0+50x60", bucket("2.5"): "0+100x60", bucket("+Inf"): "0+100x60"},
        {bucket("0.1"): "0+100x60", bucket("1"): "0+100x60", bucket("+Inf"): "0+100x60"},
    ),
    "HandfulOverloaded": (
        {
            of("handful_refused_requests_total", 'lane="queries"'): "0+3x60",
            of("handful_refused_bytes_requests_total"): "0x60",
        },
        {
            of("handful_refused_requests_total", 'lane="queries"'): "0x30 9x30",
            of("handful_refused_bytes_requests_total"): "0x60",
        },
    ),
    "HandfulDiskFull": (
        {of("handful_database_errors_total", 'kind="storage-full"'): "0x58 1 2"},
        {of("handful_database_errors_total", 'kind="outdated"'): "0+9x60"},
    ),
    "HandfulDatabase": (
        {of("handful_database_errors_total", 'kind="storage-unavailable"'): "0+2x60"},
        {of("handful_database_errors_total", 'kind="storage-unavailable"'): "0x50 1x10"},
    ),
    "HandfulDamage": (
        {of("handful_storage_damaged", 'kind="image"'): "0x30 1x30"},
        {of("handful_storage_damaged", 'kind="image"'): "1x10 0x50"},
    ),
    "HandfulConnections": (
        {
            of("db_client_connection_count", 'db_client_connection_state="used"'): "15x60",
            of("db_client_connection_max"): "16x60",
        },
        {
            of("db_client_connection_count", 'db_client_connection_state="used"'): "15x2 3x58",
            of("db_client_connection_max"): "16x60",
        },
    ),
    "HandfulClassifierMemory": (
        {of("handful_classifiers_unloaded_total"): "0+90x60"},
        {of("handful_classifiers_unloaded_total"): "0+30x60"},
    ),
    "HandfulJobsStuck": (
        {of("handful_waiting_jobs"): "2x60", of("handful_job_files_total"): "7x60"},
        {of("handful_waiting_jobs"): "2x60", of("handful_job_files_total"): "0+7x60"},
    ),
    "HandfulJobsFail": (
        {of("handful_jobs_total", 'kind="predict", outcome="failed"'): "0x50 1x10"},
        {of("handful_jobs_total", 'kind="predict", outcome="done"'): "0+1x60"},
    ),
    "HandfulTunings": (
        {of("handful_tunings_total", 'outcome="failed"'): "0x50 1x10"},
        {of("handful_tunings_total", 'outcome="written"'): "0+1x60"},
    ),
    "HandfulFiles": (
        {of("process_open_fds"): "990x60", of("process_max_fds"): "1000x60"},
        {of("process_open_fds"): "500x60", of("process_max_fds"): "1000x60"},
    ),
    "HandfulTracesLost": (
        {of("handful_spans_total", 'outcome="lost"'): "0+50x60"},
        {of("handful_spans_total", 'outcome="sent"'): "0+50x60"},
    ),
}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_each_alert_fires_where_it_should_and_nowhere_else(tmp_path: Path) -> None:
    assert set(CASES) == {alert["alert"] for alert in alerts()}
    series, wanted = [], []
    for name, both in CASES.items():
        for case, fires in zip(both, (True, False), strict=True):
            job = f"handful-{name}-{fires}"  # one for itself
            series += [
                {"series": each.replace("JOB", job), "values": values}
                for each, values in case.items()
            ]
            asked = f'count(ALERTS{{alertname="{name}", job="{job}", alertstate="firing"}})'
            sample = {"labels": "{}", "value": int(fires)}
            wanted.append(
                {"expr": f"{asked} or vector(0)", "eval_time": "60m", "exp_samples": [sample]}
            )
    test = {"interval": "1m", "input_series": series, "promql_expr_test": wanted}
    file = tmp_path / "alerts.yml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]})
    )
    done = subprocess.run(
        [binary("promtool"), "test", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_says_how_bad_it_is_and_what_to_do() -> None:
    page = (RULES.parents[2] / "docs" / "telemetry.md").read_text()
    for alert in alerts():
        assert alert["labels"]["severity"] in ("critical", "warning", "info")
        assert alert["annotations"]["summary"]
        where, _, heading = alert["annotations"]["runbook"].partition("#")
        assert where == "docs/telemetry.md"
        assert heading == alert["alert"].lower()
        assert f"\n### {alert['alert']}\n" in page


def test_the_rules_and_the_example_are_valid() -> None:
    for what, file in (("rules", RULES), ("config", RULES.with_name("prometheus.yml"))):
        done = subprocess.run(
            [binary("promtool"), "check", what, str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
