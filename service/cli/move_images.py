"""``handful move-images``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def move_images(
    images: Annotated[
        str | None,
        typer.Option(
            help="Where they go: a folder, or a bucket (s3://BUCKET/PREFIX); back into the"
            " database if that is neither given nor set.",
            envvar="HANDFUL_IMAGES",
        ),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Move the bytes of all images to where new ones go, while services go on.

    Where it is stopped, or killed, it goes on when it is asked for again.
    """
    from rich.console import Console
    from rich.progress import Progress

    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.private_files import keep_private
    from service.problems import StorageFull, StorageUnavailable
    from service.storage.contents import Contents
    from service.storage.contents.moving import elsewhere, move_contents
    from service.storage.engine import open_database
    from service.storage.errors import StorageError

    settings = settings_with_options(images=images, data_dir=data_dir)
    keep_private(settings)
    try:
        engine = open_database(settings.sqlalchemy_url, settings.database_seconds, settings)
        try:
            contents = Contents.opened(engine, settings.images, settings.database_seconds)
            with Progress(console=Console(stderr=True)) as progress:
                bar = progress.add_task("moving", total=elsewhere(engine, contents))
                moved, damaged = move_contents(
                    engine, contents, lambda count: progress.advance(bar, count)
                )
            contents.close()
        finally:
            engine.dispose()
    except StorageError as error:
        fail(error)
    except (StorageFull, StorageUnavailable) as problem:
        fail(StorageError(f"{problem.detail} What was moved is moved; do this again"))
    typer.echo(f"{moved} images were moved to {settings.images or 'the database'}")
    if damaged:
        names = ", ".join(damaged[:20])
        fail(StorageError(f"{len(damaged)} images are damaged, and stay where they are: {names}"))
