"""``handful backup``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def backup(
    to: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|FOLDER",
            help="The file, which is replaced whole; in a folder it gets a name with the time;"
            " - is standard output.",
            allow_dash=True,
        ),
    ],
    images: Annotated[
        bool,
        typer.Option(
            help="Whether images in a folder or a bucket (HANDFUL_IMAGES) go along, or only where"
            " they are. Those in the database always do."
        ),
    ] = True,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Write one state of the whole database as a file, also beside a running service.

    It holds images and digests of keys: only its owner can read it. Results of jobs are not in it.
    """
    if str(to) == "-" and sys.stdout.isatty():
        raise typer.BadParameter("a terminal cannot take a backup: send it on by a pipe")

    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.moving.backups import back_up, back_up_to_stream
    from service.private_files import keep_private

    settings = settings_with_options(data_dir=data_dir)
    keep_private(settings)
    url, seconds = settings.sqlalchemy_url, settings.database_seconds
    try:
        if str(to) == "-":
            copied, file = (
                back_up_to_stream(url, sys.stdout.buffer, seconds, images=images),
                Path("-"),
            )
        else:
            file, copied = back_up(url, to, seconds, images=images)
    except Exception as error:
        fail(error)
    where = "standard output" if str(file) == "-" else f"{file} ({file.stat().st_size:,} bytes)"
    typer.echo(f"{copied} are in {where} now", err=True)
