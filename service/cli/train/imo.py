"""``handful train imo``."""

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


def imo(
    data: Annotated[
        Path,
        typer.Option(help="Folder of CLASS/IMAGE, or a CSV: path,label or Open Images' labels."),
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder for the adapter and its run.")],
    objective: Annotated[
        str,
        typer.Option(
            help="supervised, dino, distillation or relational; supervised-published and "
            "dino-published are the paper's own settings to the letter."
        ),
    ],
    backbone: Annotated[str | None, typer.Option(help="As for handful serve.")] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="ROOT", help="Folder with the images of a CSV.")
    ] = None,
    per_class: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Draw N images of each class.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Of the bottleneck; 64 by default.")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="Of what the adapter adds; 0.03 by default, 0.1 for dino-published."),
    ] = None,
    places: Annotated[
        str | None, typer.Option(help="Blocks with an adapter, as 5,6,7; all by default.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data; as published by default.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Images of a process; as published by default.")
    ] = None,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches to a step.")] = 1,
    learning_rate: Annotated[
        float | None, typer.Option(help="Its peak; as published by default.")
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Mixed precision.")] = Precision.NO,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare images.")] = 2,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Decides every random draw; 0 by default, 1 for dino-published."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; the GPU if there is one.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, or begin it.")
    ] = False,
) -> None:
    """Train an adapter that reduces intra-modal overlap; on several GPUs under torchrun."""
    numbers = _places(places)
    check_out(out, resume)

    # What is slow to import waits until the arguments are known to be good.
    from adapters.corrections.bottleneck import BottleneckConfig
    from adapters.training.methods.imo import RECIPES, ImoConfig, ImoMethod
    from adapters.training.training_errors import DataError
    from service.cli.shared_options import make_folder
    from service.training.labelled_reader import read_labelled
    from service.training.runner import TrainingRun

    if objective not in RECIPES:
        raise typer.BadParameter(f"no objective {objective!r}; there are {', '.join(RECIPES)}")
    recipe = RECIPES[objective]
    settings = settings_for(backbone=backbone, device=device)
    try:
        adapter = BottleneckConfig(
            recipe.adapter.width if width is None else width,
            recipe.adapter.scale if scale is None else scale,
            recipe.adapter.places if numbers is None else numbers,
        )
        labelled = read_labelled(
            data,
            images,
            per_class=per_class,
            seed=recipe.seed if seed is None else seed,
            labels_needed=recipe.needs_labels,
        )
    except (DataError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    make_folder(out)
    config = ImoConfig(
        objective=objective,
        adapter=adapter,
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        learning_rate=learning_rate,
        precision=precision.value,
        workers=workers,
        seed=seed,
    )
    asked = TrainingRun(
        method=ImoMethod(config),
        backbone=settings.backbone,
        data=labelled,
        out=out,
        settings=settings,
        resume=resume,
    )
    console = training_console()
    outcome = carry_out(asked, console)
    tell_end(console, outcome, settings.backbone, "--adapter")


def _places(given: str | None) -> tuple[int, ...] | None:
    if given is None:
        return None
    try:
        return tuple(int(part) for part in given.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"--places takes numbers of blocks, as 5,6,7; not {given!r}"
        ) from None
