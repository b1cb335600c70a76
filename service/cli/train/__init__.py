"""``handful train``: what is trained once, before anything is served."""

from __future__ import annotations

import typer

from service.cli.train.comma import comma
from service.cli.train.imo import imo
from service.cli.train.lite import lite
from service.cli.train.mixup import mixup

train = typer.Typer(no_args_is_help=True, help="Train what ships with Handful.")
train.command()(comma)
train.command()(imo)
train.command()(lite)
train.command()(mixup)


@train.callback()
def _train() -> None:
    """Train what is frozen when it serves: adapters, prompts, projections."""
