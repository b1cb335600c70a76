"""``handful export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    classifier: Annotated[str, typer.Argument(help="Name of the classifier.")],
    file: Annotated[Path, typer.Argument(help="To be written; one that is there is replaced.")],
    images: Annotated[
        bool, typer.Option(help="Whether the images go along, which another backbone needs.")
    ] = True,
    faiss: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.faiss",
            help="Write the keys as a FAISS index too, and what its ids are of to FILE.faiss.json.",
        ),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Write a classifier as one file. Stop the service before, or ask it: GET .../export."""
    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.private_files import keep_private
    from service.transfers import export_classifier

    settings = settings_with_options(data_dir=data_dir)
    keep_private(settings)
    try:
        told = export_classifier(settings, classifier, file, images=images, index=faiss)
    except OSError as error:
        raise typer.BadParameter(
            f"{error.filename} cannot be written ({error.strerror})"
        ) from error
    except Exception as error:
        fail(error)
    typer.echo(told)
