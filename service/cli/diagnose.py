"""``handful diagnose``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer


class Split(StrEnum):
    """Which images of a data set."""

    TRAIN = "train"
    TEST = "test"


def diagnose(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Holds train/CLASS/* and test/CLASS/* as for evaluate, or CLASS/*."
        ),
    ],
    split: Annotated[
        Split | None, typer.Option(help="Which images; train by default if there are both.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Look at N images a class at most."),
    ] = None,
    template: Annotated[
        list[str] | None, typer.Option(help="Prompt template with {}; may be repeated.")
    ] = None,
    nameless: Annotated[
        bool, typer.Option("--nameless", help="Class names carry no meaning: compare images alone.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write diagnosis.json, overlap.png and overlap.svg here."
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep features here between runs; in the user's cache folder by default.",
        ),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither read nor keep features.")
    ] = False,
    backbone: Annotated[str | None, typer.Option(help="As for handful serve.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="As for handful serve.")
    ] = None,
    adapter: Annotated[str | None, typer.Option(help="As for handful serve.")] = None,
) -> None:
    """Show whether the correction of a backbone helps on a folder of images, and how."""
    # What is slow to import waits until the arguments are known to be good.
    from service.cli.arguments import (
        check_cache,
        check_prompts,
        check_templates,
        make_folder,
        unwritable,
    )
    from service.diagnosis.labelled import LabelledImages
    from service.evaluation.dataset import DatasetError

    check_templates(template)
    check_cache(cache, no_cache)
    try:
        images = LabelledImages.read(folder, split, limit)
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error

    from rich.console import Console

    from service.cli.embedding import features as features_of
    from service.cli.failure import fail
    from service.cli.settings import settings_with
    from service.diagnosis.output import write
    from service.diagnosis.run import run
    from service.diagnosis.table import table

    settings = settings_with(backbone=backbone, prompts=prompts, adapter=adapter)
    check_prompts(template, settings.prompts)
    if out is not None:
        make_folder(out)
    console = Console(stderr=True)
    began = perf_counter()
    try:
        encoder, features = features_of(settings, console, cache, no_cache)
        diagnosis = run(
            images, encoder, features, tuple(template or ()), names_carry_meaning=not nameless
        )
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error
    except Exception as error:
        fail(error)
    Console().print(table(diagnosis, images.described), "")
    if out is not None:
        try:
            write(out, diagnosis, images.described)
        except OSError as error:
            raise unwritable(out, error) from error
    console.print(
        f"{features.embedded} images embedded, {features.reused} taken from the cache, "
        f"{perf_counter() - began:.1f} s" + (f"; files are in {out}" if out is not None else ""),
        highlight=False,
        soft_wrap=True,
    )
