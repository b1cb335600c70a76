"""``handful mcp``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.running_service import LOCAL, KeyOption, ServiceOption


def mcp(
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Image files below it may be named by their paths; may be given several times."
            " Without it no file is read.",
        ),
    ] = None,
    url: ServiceOption = LOCAL,
    key: KeyOption = None,
) -> None:
    """Serve the tools of a running service to an agent, over standard input and output (MCP)."""
    try:
        from service.mcp_tools.local_images import LocalImages
        from service.mcp_tools.stdio import serve_stdio
    except ImportError as error:
        raise typer.BadParameter(
            "agents are served by the SDK of MCP and by handful-client, which are not installed:"
            " pip install 'handful[mcp]'"
        ) from error
    try:
        serve_stdio(url, key, LocalImages(folder) if folder else None)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
