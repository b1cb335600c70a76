"""``handful check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Look at all that is stored for damage, at once, and say what to do about each.

    Exits with 1 where something is damaged. A service may run beside it, and is asked to mend what
    can be: embeddings, from whole images. This command itself changes nothing, but that a database
    of an earlier version is brought up to date.
    """
    from service.cli.configuration import settings_with_options
    from service.cli.database import opened_database
    from service.problems import StorageFull, StorageUnavailable
    from service.storage.contents import Contents
    from service.storage.damage import MENDS, CheckTurns, find_damage
    from service.storage.errors import Damaged

    seconds = settings_with_options(data_dir=data_dir).database_seconds
    with opened_database(data_dir) as engine:
        read = 0

        def count(nbytes: int) -> None:
            nonlocal read
            read += nbytes

        contents = Contents.opened(engine, None, seconds)
        kinds = set()
        file = engine.get_execution_options().get("file")
        if file is not None and file.in_use.lost is not None:
            typer.echo(f"damaged: structure: {file.in_use.lost}")
            kinds.add("structure")
        for damage in find_damage(
            engine, contents, count, fills=False, buckets=True, begun=lambda _: None
        ):
            typer.echo(f"damaged: {damage}")
            kinds.add(damage.kind)
        contents.close()
        if not kinds:
            typer.echo(f"sound: {read} bytes of rows and images are as they were written")
        else:
            typer.echo("")
        for kind, mend in MENDS.items():
            if kind in kinds:
                typer.echo(f"{kind}: {mend}")
        turns = CheckTurns(engine, "")
        try:
            last = turns.last()
            if kinds or (last is not None and last.found.counts):
                turns.ask()
        except (Damaged, StorageFull, StorageUnavailable) as error:
            told = error if isinstance(error, Damaged) else error.detail
            typer.echo(f"a service could not be asked to check it, too: {told}", err=True)
    if kinds:
        raise typer.Exit(1)
