"""``handful suggest --url``: the pool is sent to a running service, which chooses."""

from __future__ import annotations

from pathlib import Path

import typer

from service.cli.running_service import service_at


def suggest_by_service(
    folder: Path,
    number: int,
    classifier: str,
    url: str,
    key: str | None,
    *,
    folders: bool,
    as_json: bool,
) -> None:
    """Print which images of a folder a classifier of a service needs next, best first.

    Raises:
        typer.BadParameter, typer.Exit: As :func:`service_at`.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    with service_at(url, key) as client:
        asked = client.classifier(classifier)
        if folders and any(path.is_dir() for path in folder.glob("[!.]*")):
            found = asked.suggest_folder(folder, n=number)
        else:
            found = asked.suggest(folder, n=number)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    table = Table("", "image", "gain", "coverage", "taken for", box=SIMPLE_HEAD)
    for place, one in enumerate(found.suggestions, 1):
        taken = one.predicted
        shown = "" if taken is None else f"{taken.label} {taken.probability:.0%}"
        unknown = ", unknown" if taken is not None and not taken.known else ""
        cells = (str(place), one.filename, f"{one.gain:.4f}", f"{one.coverage:.3f}")
        table.add_row(*cells, shown + unknown)
    Console().print(table)
    for copy in found.duplicates:
        typer.echo(f"{copy.filename} is registered: an image ({copy.label})")
    typer.echo(f"{len(found.suggestions)} of {found.n_images} images suggested", err=True)
