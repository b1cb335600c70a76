"""The dashboard and the rules, asked of a real Prometheus that scrapes a real service."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.service.client import Classifier, files
from tests.service.jobs.asking import ended
from tests.service.pictures import picture, zipped
from tests.service.server import Server
from tests.service.telemetry.prometheus import ROOT, RULES, Prometheus, scraping

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "handful.json").read_text())
PANELS: list[dict[str, Any]] = [one for one in DASHBOARD["panels"] if one["type"] != "row"]
# What Grafana fills in.
VARIABLES = {
    "$__rate_interval": "2m",
    "$job": "handful",
    "$instance": ".*",
}
UNITS = {"none", "reqps", "percentunit", "s", "bytes", "ops"}
# Only told where traces are sent.
WITH_TRACES = {"handful_spans_total"}
# Only told where these are switched on.
OF_INTEGRATIONS = {"handful_grpc_seconds", "handful_label_studio_annotations_total"}
METRIC = re.compile(r"(?<![\w:])(?:handful|http_server|db_client|process)_\w+(?![\w:])")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, spare: Server) -> Iterator[Prometheus]:
    with scraping(spare.url, tmp_path_factory.mktemp("prometheus")) as running:
        running.wait("handful_ready_processes")
        _make_traffic(spare)
        _scraped(running)
        with spare.client() as http:  # what there was none of before, there are now two scrapes of
            made = Classifier(http, "watched")
            _named(made)
            for i in range(5):
                made.predict(picture(i)).raise_for_status()
            made.http.delete(made.url)
        _scraped(running)
        running.wait("job:http_server_requests:rate5m")
        yield running


def _named(classifier: Classifier) -> None:
    """A class of a name that the service has not embedded before, whoever else has used it."""
    classifier.post(f"ant {uuid4()}", picture(0)).raise_for_status()


def _make_traffic(server: Server) -> None:
    """A little of all that the dashboard shows."""
    with server.client() as http:
        made = Classifier(http, "watched")
        made.put().raise_for_status()
        made.post("ant", *(picture(i) for i in range(66))).raise_for_status()
        _named(made)
        # One more than is tuned at once.
        http.post(
            f"{made.class_url('ant')}/images",
            params={"wait": "tuned"},
            files=files(picture(99)),
        ).raise_for_status()
        for i in range(20):
            made.predict(picture(i)).raise_for_status()
        assert made.post_body(b"none", "image/png").is_client_error
        asked = http.post(
            f"{made.url}/predict",
            content=zipped({"a.png": picture(1)}),
            headers={"prefer": "respond-async", "content-type": "application/zip"},
        )
        ended(http, asked.headers["location"])


def _scraped(prometheus: Prometheus) -> None:
    """Wait until what is so now is known there."""
    [(_, now)] = prometheus.ask("time()")
    prometheus.wait(f"timestamp(handful_ready_processes) > {now}")


def filled_in(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_each_panel_shows_something_of_a_service_that_works(
    prometheus: Prometheus, panel: dict[str, Any]
) -> None:
    values: list[float] = []
    for target in panel["targets"]:
        found = prometheus.wait(filled_in(target["expr"]))
        values += [value for _, value in found]
        # Each name of a legend is a label of all that comes.
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert all(label in labels for labels, _ in found), label
    assert any(map(math.isfinite, values)), values


def test_each_rule_is_evaluated_and_asks_for_what_is_told(prometheus: Prometheus) -> None:
    rules = prometheus.rules()
    assert {rule["name"] for rule in rules} == {
        rule.get("alert") or rule["record"] for rule in _rules()
    }
    assert not [rule for rule in rules if rule["health"] != "ok"]
    assert not [rule["name"] for rule in rules if rule.get("state") == "firing"]
    bare = [re.sub(r'"[^"]*"|\w+ *(?==~?)', "", rule["expr"]) for rule in _rules()]
    asked = {name for expression in bare for name in METRIC.findall(expression)}
    assert len(asked) > 10
    for name in asked - WITH_TRACES:
        prometheus.wait(name)
    for rule in _rules():
        if "record" in rule:
            prometheus.wait(rule["record"])


def test_each_metric_that_is_documented_is_told_and_each_that_is_told_is_documented(
    prometheus: Prometheus,
) -> None:
    page = (ROOT / "docs" / "telemetry.md").read_text()
    table = page[page.index("## Metrics") : page.index("## Alerts")]
    documented = set(re.findall(r"^\| `((?:handful|http_server|db_client)_\w+)`", table, re.M))
    names = prometheus.http.get("/api/v1/label/__name__/values").json()["data"]
    told = {
        re.sub(r"_(bucket|count|sum|created)$", "", name) if name not in documented else name
        for name in names
        if name.startswith(("handful_", "http_", "db_")) and not name.endswith("_created")
    }
    assert told == documented - WITH_TRACES - OF_INTEGRATIONS


def test_panels_stand_beside_each_other() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(at["x"] >= 0 and at["x"] + at["w"] <= 24 for at in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_panels_take_any_data_source_and_name_their_units() -> None:
    [source, *others] = DASHBOARD["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == (
        *("datasource", "datasource", "prometheus"),
    )
    assert [one["name"] for one in others] == ["job", "instance"]
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    for panel in PANELS:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["datasource"] == wanted
        for target in panel["targets"]:
            assert target["datasource"] == wanted
            assert "$job" in target["expr"]
            assert "$instance" in target["expr"]


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(Path(RULES).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]
