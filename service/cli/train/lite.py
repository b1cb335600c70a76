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
    # What is slow to import waits until the arguments are known to be good.
    import json

    from rich.console import Console

    from adapters.backbones.lite import LITE_FOLDER
    from adapters.training.methods.lite import LiteMethod
    from service.cli.failure import fail
    from service.training.lite_projections import learn_projections

    console = Console(stderr=True)
    try:
        provenance = learn_projections(
            LiteMethod(seed=seed), console, output or LITE_FOLDER, generic
        )
    except Exception as error:
        fail(error)
    Console().print_json(json.dumps(provenance))
