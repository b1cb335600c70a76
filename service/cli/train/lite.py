"""``handful train lite``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def lite(
    seed: Annotated[int, typer.Option(help="Decides every random draw.")] = 0,
    generic: Annotated[
        Path | None,
        typer.Option(help="Folder with caltech101/ and imagenet_one_per_class/ to measure on."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the files; the installed package by default.")
    ] = None,
) -> None:
    """Learn the projections of the backbone `lite` from registry packages; needs no images."""
    import json

    from rich.console import Console

    import adapters.backbones.lite as package
    from adapters.training.methods.lite.training import train as run
    from service.cli.failure import fail

    try:
        provenance = run(seed, output or Path(package.__file__).parent, generic)
    except Exception as error:
        fail(error)
    Console().print_json(json.dumps(provenance))
