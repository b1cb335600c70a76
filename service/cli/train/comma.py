"""``handful train comma``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from service.cli.train.command import (
    Precision,
    carry_out,
    check_out,
    settings_for,
    tell_end,
    training_console,
)


class Preset(StrEnum):
    """Settings of the authors, in place of ours."""

    PUBLISHED = "published"
    CROSS_DATASET = "cross-dataset"


class Generators(StrEnum):
    """What becomes of the maps from text prompts to image prompts."""

    LEARNED = "learned"
    FIXED = "fixed"


def comma(
    backbone: Annotated[
        str, typer.Option(help="An open_clip ViT: MODEL/TAG, MODEL/PATH, hf-hub:... or local-dir:.")
    ],
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Holds train/CLASS/* (and test/CLASS/*) or CLASS/*.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="RUN", help="Folder for prompts.safetensors and the record.")
    ],
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="The paper's own settings to the letter: published (from base to novel classes), "
            "or cross-dataset; other options replace them."
        ),
    ] = None,
    generators: Annotated[
        Generators | None,
        typer.Option(
            help="Of the image tower's prompts: learned, or fixed as in the authors' code; "
            "learned by default, fixed with a preset."
        ),
    ] = None,
    shots: Annotated[int | None, typer.Option(min=1, help="Images a class; 16 by default.")] = None,
    template: Annotated[
        str,
        typer.Option(
            help="Hand-written prompt; its first words are what is learned. With a preset these "
            "are of 'a photo of a {}.', and it is what learned texts stay near to."
        ),
    ] = "a photo of a {}.",
    prompts: Annotated[
        int | None, typer.Option(min=1, help="Prompt tokens a layer; 2 by default.")
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(min=1, help="Prompted layers of each tower; 9 by default, 3 cross-dataset."),
    ] = None,
    base_to_novel: Annotated[
        bool,
        typer.Option(
            "--base-to-novel", help="Train on the first half of the classes, measure on both."
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the images; 5 by default, 2 cross-dataset."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Images in a step; 4 by default.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak of the schedule; 0.001 by default.")
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Mixed precision.")] = Precision.NO,
    seed: Annotated[
        int | None,
        typer.Option(help="Decides every random draw; 0 by default, 1 with a preset."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the state in RUN, if there is one.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; the GPU if there is one.")
    ] = None,
) -> None:
    """Learn prompts of both towers from a few images a class (COMMA, AAAI 2024)."""
    from service.cli.shared_options import check_templates, make_folder

    check_templates([template])
    if learning_rate is not None and not 0 < learning_rate < float("inf"):
        raise typer.BadParameter(f"--learning-rate takes a positive number, not {learning_rate:g}")
    check_out(out, resume)

    # What is slow to import waits until the arguments are known to be good.
    from dataclasses import replace

    from rich.console import Console

    from adapters.training.methods.comma import PRESETS, CommaMethod
    from service.datasets.dataset import DatasetError
    from service.evaluation.base_to_novel import read_halves, table
    from service.training.few_shot_reader import draw_shots, read_training
    from service.training.prompt_generalisation import BaseToNovel
    from service.training.runner import TrainingRun

    settled = PRESETS["ours" if preset is None else preset.value]
    asked_prompts = replace(
        settled.prompts,
        length=prompts or settled.prompts.length,
        depth=depth or settled.prompts.depth,
    )
    terms = settled.terms
    if generators is not None:
        terms = replace(terms, generators=generators.value)
    if preset is None:
        asked_prompts = replace(asked_prompts, template=template)
    else:
        terms = replace(terms, anchor=template)
    loop = replace(
        settled.loop,
        epochs=epochs or settled.loop.epochs,
        batch=batch or settled.loop.batch,
        learning_rate=learning_rate or settled.loop.learning_rate,
        precision=precision.value,
        seed=settled.loop.seed if seed is None else seed,
    )
    settings = settings_for(device=device)
    console, generalisation = training_console(), None
    try:
        if base_to_novel:
            dataset, novel = read_halves(data)
            generalisation = BaseToNovel(dataset, novel, out, settings, console)
        else:
            dataset = read_training(data)
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error
    make_folder(out)
    asked = TrainingRun(
        method=CommaMethod(asked_prompts, loop, terms),
        backbone=backbone,
        data=draw_shots(dataset, shots or settled.shots, loop.seed),
        out=out,
        settings=settings,
        resume=resume,
        measurement=generalisation,
    )
    outcome = carry_out(asked, console)
    if generalisation and generalisation.trained and generalisation.written:
        Console().print(
            table(generalisation.trained, generalisation.written, asked_prompts.template)
        )
    tell_end(console, outcome, backbone, "--prompts")
