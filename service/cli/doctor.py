"""``handful doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.shared_options import AdapterOption, BackboneOption, PromptsOption


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    backbone: BackboneOption = None,
    prompts: PromptsOption = None,
    adapter: AdapterOption = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Say what is installed and what would serve, and why nothing quicker does.

    Exits with 1, and the reason, where handful serve could not start with these settings. The
    database is not opened, nor the port.
    """
    from service.cli.configuration import settings_with_options
    from service.installation import check_one_faiss, versions

    settings = settings_with_options(
        backbone=backbone, prompts=prompts, adapter=adapter, data_dir=data_dir
    )
    report: dict[str, Any] = {"serves": False, "reason": None, "versions": versions()}
    try:
        check_one_faiss()
        from service.examination import examine

        report |= asdict(examine(settings))
        report["serves"] = True
    # Whatever is missing or broken, in whichever library: the reason is what was asked for.
    except Exception as error:
        report["reason"] = str(error) or type(error).__name__
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _print(report)
    if not report["serves"]:
        raise typer.Exit(1)


def _print(report: dict[str, Any]) -> None:
    for name, version in report["versions"].items():
        typer.echo(f"{name:<26}{version or 'missing'}")
    for name in ("torch", "faiss", "encoder", "precision", "cache"):
        if name in report:
            typer.echo(f"\n{name}: {report[name]['used']}")
            for remark in report[name]["remarks"]:
                typer.echo(f"  {remark}")
    typer.echo("")
    if report["serves"]:
        typer.echo("handful serve can start")
    else:
        typer.secho(f"error: {report['reason']}", err=True, fg=typer.colors.RED)
