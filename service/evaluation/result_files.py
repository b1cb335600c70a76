"""Files of an evaluation: JSON for programs, CSV for spreadsheets, PNG to look at."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from adapters.backbones import Backbone
from adapters.measures.calibration import Calibration
from service.datasets.dataset import Dataset
from service.evaluation.few_shot_protocol import FewShotProtocol, Result
from service.evaluation.metrics import BINS, Metrics, calibration_error
from service.evaluation.result_plots import accuracy_plot, reliability_diagram
from service.evaluation.result_tables import described
from service.evaluation.summary import pooled_calibration_error, summarise
from service.presentation.wording import quantity

MARGINS: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.15}


def write(
    folder: Path,
    dataset: Dataset,
    backbone: Backbone,
    protocol: FewShotProtocol,
    results: Sequence[Result],
) -> None:
    """Write results.json, results.csv, accuracy.png and reliability.png into the folder."""
    document = {
        "dataset": dataset.name,
        "queries_from": dataset.queries_from,
        "labels": list(dataset.labels),
        "queries": len(dataset.queries),
        "backbone": backbone.name,
        "fingerprint": backbone.fingerprint,
        "protocol": {"name": "few-shot", **asdict(protocol)},
        "summary": _summary(protocol, results),
        "results": [_full(result) for result in results],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    with (folder / "results.csv").open("w", encoding="utf-8", newline="") as file:
        common = {
            "dataset": dataset.name,
            "queries_from": dataset.queries_from,
            "backbone": backbone.name,
        }
        rows = [common | _flat(result) for result in results]
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    about = f"{described(dataset, protocol)}; backbone {backbone.name}"
    curves = accuracy_plot(summarise(results, "accuracy"), about, len(protocol.seeds))
    curves.savefig(folder / "accuracy.png", **MARGINS)
    method = "auto" if "auto" in protocol.methods else protocol.methods[0]
    shots = max(protocol.shots)
    shown = [result for result in results if (result.method, result.shots) == (method, shots)]
    confidence = torch.cat([result.confidence for result in shown])
    correct = torch.cat([result.correct for result in shown])
    diagram = reliability_diagram(
        Calibration.of(confidence, correct, BINS),
        calibration_error(confidence, correct),
        f"{method}, {quantity(shots, 'shot')}",
        f"{about}; {len(shown)} draw{'s together' if len(shown) > 1 else ''}",
    )
    diagram.savefig(folder / "reliability.png", **MARGINS)


def _flat(result: Result) -> dict[str, Any]:
    return {
        "method": result.method,
        "head": result.head,
        "shots": result.shots,
        "seed": result.seed,
        "classes": result.n_classes,
        "queries": len(result.correct),
        "unknown_queries": result.n_unknown,
        **asdict(result.metrics),
        "temperature": result.tuning.temperature,
    }


def _full(result: Result) -> dict[str, Any]:
    return _flat(result) | {
        "parameters": result.tuning.parameters.as_dict(),
        "rejection_threshold": result.tuning.rejection_threshold,
        "conformal_threshold": result.tuning.conformal_threshold,
    }


def _summary(protocol: FewShotProtocol, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Means with their 95 % intervals, by method and shots; null where nothing was measured."""
    estimates_of = {field.name: summarise(results, field.name) for field in fields(Metrics)}
    pooled = pooled_calibration_error(results)
    return [
        {
            "method": method,
            "shots": shots,
            **{
                name: asdict(estimates[method, shots]) if (method, shots) in estimates else None
                for name, estimates in estimates_of.items()
            },
            "pooled_ece": pooled[method, shots],
        }
        for method in protocol.methods
        for shots in protocol.shots
    ]
