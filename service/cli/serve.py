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
        typer.Option(metavar="FILE", help="adapter.safetensors of handful train imo; or none."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
) -> None:
    """Run the service. Every other setting is an environment variable HANDFUL_..."""
    import logging

    import uvicorn

    from service.cli.settings import settings_with

    settings = settings_with(
        backbone=backbone,
        prompts=prompts,
        adapter=adapter,
        host=host,
        port=port,
        data_dir=data_dir,
    )

    from service.api.app import create_app  # imports PyTorch: only once the settings are right

    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    failures: list[Exception] = []

    def give_up(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    server = uvicorn.Server(
        # Requests are counted in /metrics; a line for each would cost a twentieth of their time.
        uvicorn.Config(
            create_app(settings, give_up),
            host=settings.host,
            port=settings.port,
            access_log=False,
        )
    )
    server.run()
    if failures:
        from service.cli.errors import fail

        fail(failures[0])
    if not server.started:
        raise typer.Exit(1)
