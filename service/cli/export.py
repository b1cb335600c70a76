"""``handful export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.running_service import (
    ClassifierArgument,
    KeyOption,
    UrlOption,
    check_alone,
    service_at,
)


def export(
    classifier: ClassifierArgument,
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
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Write a classifier as one file: of a database that no service uses, or with --url."""
    check_alone(url, data_dir=data_dir, faiss=faiss)
    if url is not None:
        with service_at(url, key) as client:
            client.classifier(classifier).export(file, images=images)
        typer.echo(f"classifier {classifier} of {url} is in {file} now")
        return

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
