"""``handful import``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from service.cli.running_service import KeyOption, UrlOption, check_alone, service_at
from service.cli.shared_options import AdapterOption, BackboneOption, PromptsOption


def import_(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What handful export wrote.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the classifier; the file's name by default.")
    ] = None,
    backbone: BackboneOption = None,
    prompts: PromptsOption = None,
    adapter: AdapterOption = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Create a classifier from a file: in a database that no service uses, or with --url.

    With the backbone that the file is of, it answers as the one that was exported; with another
    one its images are embedded anew, if they are in the file.
    """
    from rich.console import Console

    check_alone(url, backbone=backbone, prompts=prompts, adapter=adapter, data_dir=data_dir)
    if url is not None:
        with service_at(url, key) as client:
            made = client.classifier(name or file.stem).import_file(file)
        typer.echo(
            f"classifier {made.name} of {url} has {made.n_images} images of {made.n_classes}"
            " classes now"
        )
        return

    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.cli.feature_extraction import load_encoder_with_status
    from service.private_files import keep_private
    from service.transfers import import_classifier

    settings = settings_with_options(
        backbone=backbone, prompts=prompts, adapter=adapter, data_dir=data_dir
    )
    keep_private(settings)
    console = Console()
    try:
        told = import_classifier(
            settings,
            file,
            name or file.stem,
            partial(load_encoder_with_status, settings, console),
        )
    except Exception as error:
        fail(error)
    console.print(told, highlight=False, soft_wrap=True)
