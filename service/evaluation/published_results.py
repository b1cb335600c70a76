"""Tables and files of an evaluation by the papers' protocol."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from rich.console import Group

from adapters.backbones import Backbone
from service.datasets.dataset import Dataset
from service.evaluation.published_protocol import PROTOCOL, PublishedProtocol, PublishedResult
from service.evaluation.result_files import MARGINS
from service.evaluation.result_plots import accuracy_plot
from service.evaluation.result_tables import table_of, with_interval
from service.evaluation.summary import Estimate, estimate
from service.presentation.wording import quantity

Measured = Literal["accuracy", "validation_accuracy"]


def summarise_published(
    results: Sequence[PublishedResult], measured: Measured
) -> dict[tuple[str, int], Estimate]:
    """Means over draws with their intervals, by method and shots."""
    values: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for result in results:
        values[result.method, result.shots].append(getattr(result, measured))
    return {key: estimate(some) for key, some in values.items()}


def published_tables(
    dataset: Dataset, protocol: PublishedProtocol, results: Sequence[PublishedResult]
) -> Iterator[Group]:
    """Accuracy of the test images, and of the validation images that settings were chosen on."""
    draws = len(protocol.seeds)
    over = "one draw" if draws == 1 else f"mean ± half of its 95 % interval, {draws} draws"
    what: tuple[tuple[Measured, str], ...] = (
        ("accuracy", "test accuracy"),
        ("validation_accuracy", "validation accuracy"),
    )
    for measured, title in what:
        estimates = summarise_published(results, measured)
        rows = {
            method: [with_interval(estimates[method, k]) for k in protocol.shots]
            for method in protocol.methods
        }
        yield table_of(f"{_about(dataset)}\n{title} in %, {over}", protocol.shots, [rows])


def write_published(
    folder: Path,
    dataset: Dataset,
    validation: Path,
    backbone: Backbone,
    protocol: PublishedProtocol,
    results: Sequence[PublishedResult],
) -> None:
    """Write results.json, results.csv and accuracy.png into the folder."""
    test = summarise_published(results, "accuracy")
    held = summarise_published(results, "validation_accuracy")
    document = {
        "dataset": dataset.name,
        "queries_from": dataset.queries_from,
        "validation": str(validation),
        "labels": list(dataset.labels),
        "queries": len(dataset.queries),
        "backbone": backbone.name,
        "fingerprint": backbone.fingerprint,
        "protocol": {"name": PROTOCOL, **asdict(protocol)},
        "summary": [
            {
                "method": method,
                "shots": shots,
                "accuracy": asdict(test[method, shots]),
                "validation_accuracy": asdict(held[method, shots]),
            }
            for method in protocol.methods
            for shots in protocol.shots
        ],
        "results": [_flat(result) for result in results],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as file:
        common = {
            "protocol": PROTOCOL,
            "dataset": dataset.name,
            "queries_from": dataset.queries_from,
            "backbone": backbone.name,
        }
        rows = [common | _flat(result) for result in results]
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    about = f"{_about(dataset)}; backbone {backbone.name}"
    accuracy_plot(test, about, len(protocol.seeds)).savefig(folder / "accuracy.png", **MARGINS)


def _about(dataset: Dataset) -> str:
    source = f", queries from {dataset.queries_from}" if dataset.queries_from else ""
    classes = quantity(len(dataset.labels), "class", "classes")
    return f"{dataset.name}{source}, {classes}, protocol of the papers"


def _flat(result: PublishedResult) -> dict[str, Any]:
    found = asdict(result)
    return {**found.pop("setting"), **found}
