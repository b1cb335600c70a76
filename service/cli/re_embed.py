"""``handful re-embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def re_embed(
    backbone: Annotated[str | None, typer.Option(help="The new backbone.")] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The new prompts, if any."),
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="The new adapter, if any.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Embed all stored images with another backbone. Stop the service before."""
    from rich.console import Console

    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.cli.feature_extraction import load_encoder_with_status
    from service.private_files import keep_private
    from service.registry.reembedding import re_embed as run
    from service.storage.engine import open_database
    from service.storage.lock import lock_database

    settings = settings_with_options(
        backbone=backbone, prompts=prompts, adapter=adapter, data_dir=data_dir
    )
    keep_private(settings)
    console = Console()
    try:
        lock = lock_database(settings.sqlalchemy_url)
        engine = open_database(settings.sqlalchemy_url, settings.database_seconds)
        encoder = load_encoder_with_status(settings, console)
        count = run(engine, encoder, settings, console)
    except Exception as error:
        fail(error)
    console.print(f"{count} images embedded with {encoder.name}; now start the service with it")
    if lock is not None:
        lock.release()
