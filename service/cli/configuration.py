"""Configuration of a command: settings from the environment, with command line options on top."""

from __future__ import annotations

from typing import Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from service.environment import PREFIX, FileSettingError, remarks
from service.settings import Settings

Read = TypeVar("Read", bound=BaseSettings)


def settings_with_options(**options: Any) -> Settings:
    """Read the settings; options that are not None win over the environment."""
    for remark in remarks(Settings):
        typer.echo(f"warning: {remark}", err=True)
    return read_settings(Settings, **options)


def read_settings(kind: type[Read], **options: Any) -> Read:
    """Read settings of some kind; options that are not None win over the environment.

    Raises:
        typer.Exit: They cannot be used, which is told.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return kind(**given)
    except FileSettingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(map(str, problem["loc"][:1])).upper()  # none: of several together
            shown = f"{PREFIX}{name}: " if name else ""
            typer.echo(f"error: {shown}{problem['msg']}", err=True)
        raise typer.Exit(2) from error
