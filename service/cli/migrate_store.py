"""``handful migrate-store``."""

from __future__ import annotations

from typing import Annotated

import typer


def migrate_store(
    source: Annotated[
        str, typer.Argument(help="URL of the database, such as sqlite:////FOLDER/handful.db.")
    ],
    target: Annotated[
        str,
        typer.Argument(
            help="URL of an empty one, such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
        ),
    ],
) -> None:
    """Copy a database into an empty one, of whichever kind, and compare them by digests.

    Stop the service before, so that it changes nothing meanwhile; the source stays as it is.
    """
    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.moving.store_migration import migrate_store as run
    from service.private_files import keep_private
    from service.storage.location import shown

    settings = settings_with_options()
    keep_private(settings)
    try:
        copied = run(source, target, settings.database_seconds)
    except Exception as error:
        fail(error)
    typer.echo(
        f"{copied} are in {shown(target)} now, equal to those of {shown(source)} by the digest of "
        f"each table; start the service with HANDFUL_DATABASE_URL set to it, on the same data "
        "folder, which keeps the results of jobs"
    )
