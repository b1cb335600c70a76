"""``handful train``: what is trained once, before anything is served."""

from __future__ import annotations

import typer

from service.cli.train.lite import lite

train = typer.Typer(no_args_is_help=True, help="Train what ships with Handful.")
train.command()(lite)


@train.callback()
def _train() -> None:
    """Train what is frozen when it serves: adapters, prompts, projections."""
