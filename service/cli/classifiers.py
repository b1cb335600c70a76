"""``handful classifiers``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from service.cli.running_service import LOCAL, KeyOption, ServiceOption, service_at


def classifiers(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: ServiceOption = LOCAL,
    key: KeyOption = None,
) -> None:
    """List the classifiers of a running service."""
    from rich.console import Console
    from rich.table import Table

    with service_at(url, key) as client:
        found = list(client.classifiers())
    if as_json:
        listed = [one.model_dump(mode="json") for one in found]
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=2))
        return
    table = Table("name", "classes", "images", "accuracy", "method", "problem", box=None)
    for one in found:
        accuracy = one.tuning.accuracy
        table.add_row(
            one.name,
            str(one.n_classes),
            str(one.n_images),
            "" if accuracy is None else f"{accuracy:.1%}",
            one.method,
            one.problem or "",
        )
    Console().print(table)
