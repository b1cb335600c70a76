"""``handful train comma``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.train.arguments import Precision, check_out


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
    from service.cli.arguments import check_templates, make_folder

    check_templates([template])
    if not 0 < learning_rate < float("inf"):
        raise typer.BadParameter(f"--learning-rate takes a positive number, not {learning_rate:g}")
    check_out(out, resume)

    from dataclasses import replace

    from rich.console import Console

    from adapters.prompts import CommaConfig
    from adapters.training.methods.comma import DEFAULTS
    from service.cli.errors import fail
    from service.cli.settings import settings_with
    from service.cli.train.comma_run import Plan, run
    from service.training.launcher import check_device, is_first, part
    from service.evaluation.base_to_novel import table
    from service.evaluation.dataset import DatasetError

    settings = settings_with(device=device)
    check_device(settings.device)
    make_folder(out)
    loop = replace(
        DEFAULTS,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        precision=precision.value,
        seed=seed,
    )
    plan = Plan(
        backbone=backbone,
        data=data,
        out=out,
        shots=shots,
        config=CommaConfig(length=prompts, depth=depth, template=template),
        loop=loop,
        base_to_novel=base_to_novel,
        resume=resume,
    )
    console = Console(stderr=True, quiet=not is_first())
    try:
        outcome = run(plan, settings, console)
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error
    except Exception as error:
        fail(error)
    part()
    if outcome.trained is not None and outcome.written is not None:
        Console().print(table(outcome.trained, outcome.written, template))
    losses = outcome.made["loss"]
    console.print(
        f"{outcome.made['steps']} steps in {outcome.made['seconds']:.0f} s, loss "
        f"{losses['first']:.3f} to {losses['last']:.3f}; serve it with: handful serve --backbone "
        f"{backbone} --prompts {outcome.path}",
        highlight=False,
        soft_wrap=True,
    )
