"""``handful evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.evaluation.protocol import Result


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Holds train/CLASS/* and test/CLASS/*.")
    ],
    shots: Annotated[str, typer.Option(help="Support images a class, as 1,4,16.")] = "1,4,16",
    seeds: Annotated[int, typer.Option(min=1, help="Number of draws.")] = 3,
    methods: Annotated[
        str | None, typer.Option(help="Heads, as tip-adapter,tip-adapter++; all by default.")
    ] = None,
    template: Annotated[
        list[str] | None, typer.Option(help="Prompt template with {}; may be repeated.")
    ] = None,
    nameless: Annotated[
        bool, typer.Option("--nameless", help="Class names carry no meaning: no zero-shot term.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write results here.")] = None,
    backbone: Annotated[str | None, typer.Option(help="As for handful serve.")] = None,
) -> None:
    """Measure few-shot accuracy on a folder of images."""
    from rich.console import Console

    from adapters.backbones import load_backbone
    from adapters.heads import HEADS
    from service.cli.errors import fail
    from service.cli.settings import settings_with
    from service.evaluation.dataset import DatasetError, read_dataset
    from service.evaluation.features import Features
    from service.evaluation.protocol import evaluate as run
    from service.storage.records import ClassifierSettings

    numbers = _numbers(shots)
    chosen = methods.split(",") if methods else list(HEADS)
    if unknown := [method for method in chosen if method not in HEADS]:
        raise typer.BadParameter(f"no method {unknown[0]!r}; there are {', '.join(HEADS)}")
    if nameless and "zero-shot" in chosen:
        if methods:
            raise typer.BadParameter("zero-shot needs class names that carry meaning")
        chosen.remove("zero-shot")
    if bad := [text for text in template or () if "{}" not in text]:
        raise typer.BadParameter(f"the template {bad[0]!r} has no {{}} for the class name")
    settings = settings_with(backbone=backbone)
    console = Console(stderr=True)
    try:
        dataset = read_dataset(folder)
        with console.status(f"loading backbone {settings.backbone}"):
            encoder = load_backbone(settings.backbone, settings.device)
        results = list(
            run(
                dataset,
                encoder,
                Features(encoder, settings, console),
                chosen,
                numbers,
                range(seeds),
                ClassifierSettings(
                    templates=tuple(template or ()), names_carry_meaning=not nameless
                ),
            )
        )
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error
    except Exception as error:
        fail(error)
    _print_table(f"{dataset.name}: {len(dataset.labels)} classes", results, seeds)
    if json_file is not None:
        document = {
            "dataset": dataset.name,
            "backbone": encoder.name,
            "fingerprint": encoder.fingerprint,
            "queries": len(dataset.queries),
            "results": [
                {
                    "method": result.method,
                    "shots": result.shots,
                    "seed": result.seed,
                    "accuracy": result.accuracy,
                    "parameters": result.tuning.parameters,
                }
                for result in results
            ],
        }
        json_file.write_text(json.dumps(document, indent=1) + "\n")


def _numbers(shots: str) -> list[int]:
    try:
        numbers = [int(part) for part in shots.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter(f"--shots takes numbers of at least 1, as 1,4,16; not {shots!r}")
    return list(dict.fromkeys(numbers))


def _print_table(title: str, results: Sequence[Result], seeds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("method", title=f"{title}, accuracy in %, mean ± spread over {seeds} draws")
    shots = list(dict.fromkeys(result.shots for result in results))
    for k in shots:
        table.add_column(f"{k} shot" + "s" * (k > 1), justify="right")
    for method in dict.fromkeys(result.method for result in results):
        cells = []
        for k in shots:
            found = [100 * r.accuracy for r in results if (r.method, r.shots) == (method, k)]
            spread = f" ± {stdev(found):.1f}" if len(found) > 1 else ""
            cells.append(f"{mean(found):.1f}{spread}")
        table.add_row(method, *cells)
    Console().print(table)
