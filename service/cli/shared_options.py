"""Options that several commands take, and the checks of their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

# Of the commands that embed a labelled folder.
TemplateOption = Annotated[
    list[str] | None, typer.Option(help="Prompt template with {}; may be repeated.")
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Keep features here between runs; in the user's cache folder by default.",
    ),
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep features.")]
BackboneOption = Annotated[str | None, typer.Option(help="As for handful serve.")]
PromptsOption = Annotated[Path | None, typer.Option(metavar="FILE", help="As for handful serve.")]
AdapterOption = Annotated[str | None, typer.Option(help="As for handful serve.")]


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
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Results are written to the folder that ``--out`` names.

    Raises:
        typer.BadParameter: They cannot be.
    """
    try:
        yield
    except OSError as error:
        raise typer.BadParameter(
            f"no results can be written to {folder} ({error.strerror}); name another folder with "
            "--out"
        ) from error
