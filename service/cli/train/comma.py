"""``handful train comma``."""

from __future__ import annotations

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
    shots: Annotated[int, typer.Option(min=1, help="Images a class to train on.")] = 16,
    template: Annotated[
        str, typer.Option(help="Hand-written prompt; its first words are what is learned.")
    ] = "a photo of a {}.",
    prompts: Annotated[int, typer.Option(min=1, help="Prompt tokens a layer.")] = 2,
    depth: Annotated[int, typer.Option(min=1, help="Prompted layers of each tower.")] = 9,
    base_to_novel: Annotated[
        bool,
        typer.Option(
            "--base-to-novel", help="Train on the first half of the classes, measure on both."
        ),
    ] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 5,
    batch: Annotated[int, typer.Option(min=1, help="Images in a step.")] = 4,
    learning_rate: Annotated[float, typer.Option(help="Peak of the schedule.")] = 1e-3,
    precision: Annotated[Precision, typer.Option(help="Mixed precision.")] = Precision.NO,
    seed: Annotated[int, typer.Option(help="Decides every random draw.")] = 0,
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
    if not 0 < learning_rate < float("inf"):
        raise typer.BadParameter(f"--learning-rate takes a positive number, not {learning_rate:g}")
    check_out(out, resume)

    # What is slow to import waits until the arguments are known to be good.
    from dataclasses import replace

    from rich.console import Console

    from adapters.prompts import CommaConfig
    from adapters.training.methods.comma import DEFAULTS, CommaMethod
    from service.datasets.dataset import DatasetError
    from service.evaluation.base_to_novel import read_halves, table
    from service.training.few_shot_reader import draw_shots, read_training
    from service.training.prompt_generalisation import BaseToNovel
    from service.training.runner import TrainingRun

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
    loop = replace(
        DEFAULTS,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        precision=precision.value,
        seed=seed,
    )
    asked = TrainingRun(
        method=CommaMethod(CommaConfig(length=prompts, depth=depth, template=template), loop),
        backbone=backbone,
        data=draw_shots(dataset, shots, seed),
        out=out,
        settings=settings,
        resume=resume,
        measurement=generalisation,
    )
    outcome = carry_out(asked, console)
    if generalisation and generalisation.trained and generalisation.written:
        Console().print(table(generalisation.trained, generalisation.written, template))
    tell_end(console, outcome, backbone, "--prompts")
