"""``handful add``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.running_service import (
    LOCAL,
    ClassifierArgument,
    KeyOption,
    ServiceOption,
    service_at,
)


def add(
    classifier: ClassifierArgument,
    images: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", exists=True, help="Holds CLASS/*; with --label images of that class."
        ),
    ],
    label: Annotated[
        str | None, typer.Option(help="Of all images; DIR may be one image then.")
    ] = None,
    url: ServiceOption = LOCAL,
    key: KeyOption = None,
) -> None:
    """Register a folder of images with a running service; create the classifier if need be.

    Images that are there already stay: what was broken off is begun again by the same command.
    """
    from rich.console import Console
    from rich.progress import Progress

    with service_at(url, key) as client:
        from handful_client.images import class_folders, files_of

        if label is None:
            found = class_folders(images)
        else:
            files = files_of(images) if images.is_dir() else [images]
            found = [(label, file) for file in files]
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("registering", total=len(found))
            asked = client.classifier(classifier)

            def show(done: int) -> None:
                bar.update(task, completed=done)

            if label is None:
                told = asked.register_labelled(found, progress=show)
            else:
                told = asked.register(label, (file for _, file in found), progress=show)
    for skipped in told.skipped:
        typer.echo(f"skipped {skipped.file}: it {skipped.reason}", err=True)
    typer.echo(
        f"{told.created} images registered with {classifier}, {told.duplicates} were there already"
    )
