"""Arguments that several commands check alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer


def check_templates(templates: Sequence[str] | None) -> None:
    """Every prompt template has a place for the class name.

    Raises:
        typer.BadParameter: One has not.
    """
    if bad := [text for text in templates or () if "{}" not in text]:
        raise typer.BadParameter(
            f"the template {bad[0]!r} has no {{}} for the class name; write it as 'a photo of {{}}'"
        )


def check_prompts(templates: Sequence[str] | None, prompts: Path | None) -> None:
    """Trained prompts bring the template that they were trained with.

    Raises:
        typer.BadParameter: There are templates beside them.
    """
    if templates and prompts is not None:
        raise typer.BadParameter(
            "--template does not go with prompts, which are written with the template that they "
            "were trained with; leave out one of them"
        )


def check_cache(cache: Path | None, no_cache: bool) -> None:
    """A folder for features and none at all are not asked for together.

    Raises:
        typer.BadParameter: They are.
    """
    if cache is not None and no_cache:
        raise typer.BadParameter("--cache and --no-cache contradict each other; give one of them")


def make_folder(folder: Path) -> None:
    """Make the folder for results before the work, so that it is not done in vain.

    Raises:
        typer.BadParameter: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> typer.BadParameter:
    """What to say where results cannot be written."""
    return typer.BadParameter(
        f"no results can be written to {folder} ({error.strerror}); name another folder with --out"
    )
