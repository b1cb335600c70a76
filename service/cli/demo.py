"""``handful demo``."""

from __future__ import annotations

import typer


def demo() -> None:
    """Start a service, register images that ship in packages, ask about others, show why."""
    from rich.console import Console

    console = Console()
    try:
        from service.demo.sample_images import SampleImagesMissingError, materials, textiles
        from service.demo.walk import DemoError, running_service, walk
    except ModuleNotFoundError as error:
        console.print(f"[red]error:[/] {error.name} is missing: pip install 'handful\\[demo]'")
        raise typer.Exit(1) from error
    try:
        tasks = [materials(), textiles()]
        with running_service(console) as client:
            for task in tasks:
                walk(client, task, console)
    except (DemoError, SampleImagesMissingError) as error:
        console.print(f"[red]error:[/] {error}")
        raise typer.Exit(1) from error
    console.print("\nNow keep one running: [bold]make serve[/], then http://127.0.0.1:8000/docs")
