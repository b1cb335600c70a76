"""``handful doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.shared_options import AdapterOption, BackboneOption, PromptsOption

_COLOURS = {"ok": None, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    backbone: BackboneOption = None,
    prompts: PromptsOption = None,
    adapter: AdapterOption = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Say what is installed and what would serve, and whether what it stands on is sound.

    Exits with 1, and the reasons, where handful serve could not start or work with these settings.
    The database is only read, and nothing listens on the port.
    """
    from service.checkup import check_up
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
    report["checks"] = {
        each.subject: list(map(asdict, each.findings)) for each in check_up(settings)
    }
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _print(report)
    if _problems(report) or not report["serves"]:
        raise typer.Exit(1)


def _problems(report: dict[str, Any]) -> int:
    found = [one["status"] for findings in report["checks"].values() for one in findings]
    return found.count("problem")


def _print(report: dict[str, Any]) -> None:
    for name, version in report["versions"].items():
        typer.echo(f"{name:<26}{version or 'missing'}")
    for name in ("torch", "faiss", "encoder", "precision", "cache"):
        if name in report:
            typer.echo(f"\n{name}: {report[name]['used']}")
            for remark in report[name]["remarks"]:
                typer.echo(f"  {remark}")
    for subject, findings in report["checks"].items():
        typer.echo(f"\n{subject}:")
        for one in findings:
            typer.secho(f"  {one['status']:<9}{one['found']}", fg=_COLOURS[one["status"]])
            if one["mend"]:
                typer.echo(f"           {one['mend']}")
    typer.echo("")
    problems = _problems(report)
    if problems:
        typer.secho(f"error: {problems} problems above", err=True, fg=typer.colors.RED)
    if report["serves"] and not problems:
        typer.echo("handful serve can start")
    elif not report["serves"]:
        typer.secho(f"error: {report['reason']}", err=True, fg=typer.colors.RED)
