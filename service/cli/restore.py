"""``handful restore``."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer


def restore(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What handful backup wrote; - is standard input.", allow_dash=True
        ),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Verify the backup only; no database is used.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Write a backup into an empty database of either kind; all of it, verified, or nothing."""
    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.moving import backups
    from service.private_files import keep_private
    from service.storage.location import shown

    settings = settings_with_options(data_dir=data_dir)
    keep_private(settings)
    url = settings.sqlalchemy_url
    try:
        with (
            nullcontext(sys.stdin.buffer)
            if str(file) == "-"
            else backups.opened_backup(file) as opened
        ):
            if check:
                done = backups.check(opened)
            else:
                done = backups.restore(opened, url, settings.database_seconds)
    except Exception as error:
        fail(error)
    made = done.header
    for place in made.refers_to:
        typer.echo(f"bytes of images are not in it, but in {place!r}: keep that", err=True)
    typer.echo(
        f"{done.copied} of {made.created_at:%Y-%m-%d %H:%M:%S} UTC, by Handful {made.handful} at "
        f"revision {made.revision}, are "
        + ("whole" if check else f"in {shown(url)} now; start the service on it")
    )
