"""``handful serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    backbone: Annotated[
        str | None,
        typer.Option(help="lite, MODEL/TAG, MODEL/PATH, hf-hub:ORG/REPO or local-dir:FOLDER."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="prompts.safetensors of handful train comma."),
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="adapter.safetensors of handful train imo; isoclip; or none."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that serve, for a fast GPU; 1 by default.")
    ] = None,
    ray: Annotated[
        bool, typer.Option("--ray", help="Serve by a Ray of this machine; needs handful[ray].")
    ] = False,
) -> None:
    """Run the service. Every other setting is an environment variable HANDFUL_..."""
    from service.cli.configuration import settings_with_options

    settings = settings_with_options(
        backbone=backbone,
        prompts=prompts,
        adapter=adapter,
        host=host,
        port=port,
        data_dir=data_dir,
        processes=processes,
    )
    if ray:
        from service.ray.local_cluster import serve_with_ray as run
    else:
        from service.serving import serve as run

    try:
        run(settings)
    except Exception as error:
        from service.cli.failure import fail

        fail(error)
