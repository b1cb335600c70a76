"""``handful train mixup``."""

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
    training_console,
)
from service.training.launcher import is_first


class Learn(StrEnum):
    """What is fine-tuned."""

    MODEL = "model"
    PROJECTIONS = "projections"
    ADAPTER = "adapter"


class Preset(StrEnum):
    """Settings of the authors, in place of ours."""

    PUBLISHED = "published"


class Mix(StrEnum):
    """A loss beside the contrastive one."""

    M2 = "m2"
    V = "v"
    L = "l"
    VL = "vl"


def mixup(
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="CSV of pairs (image,text), or webdataset shards: one .tar, or a pattern as "
            "'shards/{00..15}.tar'.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder for all that the run leaves.")],
    backbone: Annotated[str | None, typer.Option(help="As for handful serve.")] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="published: the settings of the authors' scripts to the letter; other options "
            "replace them."
        ),
    ] = None,
    learn: Annotated[
        Learn,
        typer.Option(
            help="The whole model, the projections of both towers and the logit scale, or a "
            "bottleneck adapter on the image tower."
        ),
    ] = Learn.MODEL,
    mix: Annotated[
        list[Mix] | None,
        typer.Option(help="Mix to add to the CLIP loss; may be repeated. m2 by default."),
    ] = None,
    mix_weight: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Weight of each mix; by default the published ones: m2 0.01, v and l 0.05, "
            "vl 0.1.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where the paths in the CSV begin; its own folder by default."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the pairs; 9 by default.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=2, help="Pairs in a step of one process; 128 by default.")
    ] = None,
    accumulate: Annotated[
        int,
        typer.Option(
            min=1,
            help="Batches for one optimiser step; pairs of different ones are not contrasted.",
        ),
    ] = 1,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Peak; by default 1e-5 for the model, 1e-4 for projections, 1e-3 for an adapter."
        ),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Mixed precision; what is learned stays float32.")
    ] = Precision.NO,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare pairs.")] = 2,
    seed: Annotated[
        int | None,
        typer.Option(help="Decides every random draw; 0 by default, 1 with the preset."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the state in the folder, if any.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; the GPU if there is one.")
    ] = None,
) -> None:
    """Fine-tune on image-text pairs with geodesic mixup; on several GPUs under torchrun."""
    if learning_rate is not None and not 0 < learning_rate < float("inf"):
        raise typer.BadParameter(f"--learning-rate is a positive number, not {learning_rate:g}")
    check_out(out, resume)

    # What is slow to import waits until the arguments are known to be good.
    import json
    from dataclasses import replace

    from rich.console import Console

    from adapters.training.methods.mixup import (
        LEARNING_RATES,
        PRESETS,
        PUBLISHED_WEIGHTS,
        MixupMethod,
    )
    from adapters.training.training_errors import DataError
    from service.cli.shared_options import make_folder
    from service.images.decoding import training_reader
    from service.training.held_out import HeldOutPairs, hold_out
    from service.training.runner import TrainingRun
    from service.training.text_pairs import digest, read_pairs
    from service.training.training_pairs import TrainingPairs

    settings = settings_for(backbone=backbone, device=device)
    try:
        pairs = read_pairs(data, images)
    except DataError as error:
        raise typer.BadParameter(str(error)) from error
    make_folder(out)
    settled = PRESETS["ours" if preset is None else preset.value]
    loop = replace(
        settled.loop,
        epochs=epochs or settled.loop.epochs,
        batch=batch or settled.loop.batch,
        accumulate=accumulate,
        learning_rate=learning_rate or LEARNING_RATES[learn.value],
        precision=precision.value,
        workers=workers,
        seed=settled.loop.seed if seed is None else seed,
    )
    measurement, learning = None, pairs
    if settled.holds_out:
        learning, held_out = hold_out(pairs, loop.seed)
        read = training_reader(settings.max_image_pixels)
        measurement = HeldOutPairs(held_out, read, settings.device)
    weights = {
        name.value: PUBLISHED_WEIGHTS[name] if mix_weight is None else mix_weight
        for name in mix or [Mix.M2]
    }
    asked = TrainingRun(
        method=MixupMethod(learn.value, settled.config(weights), loop, settled.augmented),
        backbone=settings.backbone,
        data=TrainingPairs(learning, digest(pairs), data),
        out=out,
        settings=settings,
        resume=resume,
        measurement=measurement,
    )
    console = training_console()
    outcome = carry_out(asked, console)
    if not is_first():
        return
    Console().print_json(json.dumps(outcome.record))
    use = f"local-dir:{outcome.path}"
    if learn is Learn.ADAPTER:
        use = f"{settings.backbone} --adapter {outcome.path}"
    console.print(f"use it with: handful serve --backbone {use}", highlight=False, soft_wrap=True)
