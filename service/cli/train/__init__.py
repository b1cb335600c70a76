"""``handful train``: what is trained once, before anything is served."""

from __future__ import annotations

import typer

from service.cli.train.comma import comma
from service.cli.train.imo import imo
from service.cli.train.lite import lite
from service.cli.train.mixup import mixup

METHODS = (comma, imo, lite, mixup)
"""The command of each training method: a new one is its folder, its command and its name here."""

train = typer.Typer(no_args_is_help=True, help="Train what ships with Handful.")
for method in METHODS:
    train.command()(method)


@train.callback()
def _train() -> None:
    """Train what is frozen when it serves: adapters, prompts, projections."""
