"""``handful re-embed``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from service.cli.running_service import KeyOption


class PrecisionOption(StrEnum):
    """Those of :data:`adapters.recipe.Precision`, which is not imported for ``--help``."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class ResizingOption(StrEnum):
    """Those of :data:`adapters.recipe.Resizing`."""

    PILLOW = "pillow"
    ANTIALIAS = "antialias"


def re_embed(
    precision: Annotated[
        PrecisionOption | None,
        typer.Option(help="The new precision of the image tower. A service goes on meanwhile."),
    ] = None,
    resizing: Annotated[
        ResizingOption | None,
        typer.Option(help="What resizes pictures from now on. A service goes on meanwhile."),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="The new backbone. Stop the service before.")
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The new prompts, if any. Stop the service before."),
    ] = None,
    adapter: Annotated[
        str | None, typer.Option(help="The new adapter, if any. Stop the service before.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="HANDFUL_URL",
            help="Of the service that uses the database; that of host and port if none.",
        ),
    ] = None,
    key: KeyOption = None,
) -> None:
    """Embed all stored images in another precision, or with another backbone.

    A service that uses the database does the first while it runs, and is asked to.
    """
    from rich.console import Console

    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.private_files import keep_private
    from service.re_embedding.command import re_embed as run

    settings = settings_with_options(
        backbone=backbone, prompts=prompts, adapter=adapter, data_dir=data_dir, precision=precision
    )
    keep_private(settings)
    another = any(option is not None for option in (backbone, prompts, adapter))
    recipe = {"precision": precision, "resizing": resizing}
    console = Console()
    try:
        done = run(
            settings,
            {part: value.value for part, value in recipe.items() if value is not None},
            console,
            url=url,
            key=key,
            another_backbone=another,
        )
    except Exception as error:
        fail(error)
    console.print(done)
