"""``handful diagnose``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from service.cli.shared_options import (
    AdapterOption,
    BackboneOption,
    CacheOption,
    NoCacheOption,
    PromptsOption,
    TemplateOption,
    check_cache,
    check_prompts,
    check_templates,
    make_folder,
    writing_to,
)


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
    template: TemplateOption = None,
    nameless: Annotated[
        bool, typer.Option("--nameless", help="Class names carry no meaning: compare images alone.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write diagnosis.json, overlap.png and overlap.svg here."
        ),
    ] = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    backbone: BackboneOption = None,
    prompts: PromptsOption = None,
    adapter: AdapterOption = None,
) -> None:
    """Show whether the correction of a backbone helps on a folder of images, and how."""
    from service.datasets.dataset import DatasetError
    from service.datasets.labelled_split import LabelledSplit

    check_templates(template)
    check_cache(cache, no_cache)
    try:
        images = LabelledSplit.read(folder, split, limit)
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error

    from rich.console import Console

    from service.cli.configuration import settings_with_options
    from service.cli.feature_extraction import exit_on_error, extraction_summary, feature_extractor
    from service.diagnosis.diagnosis_files import write
    from service.diagnosis.diagnosis_table import table
    from service.diagnosis.image_diagnosis import diagnose_images

    settings = settings_with_options(backbone=backbone, prompts=prompts, adapter=adapter)
    check_prompts(template, settings.prompts)
    if out is not None:
        make_folder(out)
    console = Console(stderr=True)
    began = perf_counter()
    with exit_on_error():
        encoder, features = feature_extractor(settings, console, cache, no_cache)
        diagnosis = diagnose_images(
            images, encoder, features, tuple(template or ()), names_carry_meaning=not nameless
        )
    Console().print(table(diagnosis, images.described), "")
    if out is not None:
        with writing_to(out):
            write(out, diagnosis, images.described)
    console.print(
        f"{extraction_summary(features)}, {perf_counter() - began:.1f} s"
        + (f"; files are in {out}" if out is not None else ""),
        highlight=False,
        soft_wrap=True,
    )
