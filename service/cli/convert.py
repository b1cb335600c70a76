"""``handful convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE_OR_FOLDER",
            help="OpenAI's ViT-B-16.pt, a checkpoint, a folder of transformers or of open_clip.",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Folder to be made; it must not be there.")],
    model: Annotated[
        str | None,
        typer.Option(help="open_clip's name of the model, where the file does not tell it."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            help="open_clip's tag of the weights that it was trained like, with --model.",
        ),
    ] = None,
    activation: Annotated[
        Literal["gelu", "quickgelu"] | None,
        typer.Option(help="What it was trained with, where the file does not tell it."),
    ] = None,
) -> None:
    """Write weights of any kind as safetensors with open_clip's configuration (docs/weights.md).

    Nothing in the file is executed. What comes of it is served by --backbone local-dir:OUT.
    """
    if like is not None and model is None:
        raise typer.BadParameter("--like TAG is one of the tags of a model; give --model, too")
    if source.is_dir() and (model or activation):
        raise typer.BadParameter(
            "a folder has a configuration; --model, --like and --activation are for a file"
        )
    if not source.exists():
        raise typer.BadParameter(f"there is no file or folder {source}")

    from adapters.backbone_errors import BackboneError
    from adapters.backbones.checkpoints.convert import convert as write
    from adapters.backbones.checkpoints.recognise import recognised_file, recognised_folder
    from adapters.backbones.open_clip_models import check_model
    from service.cli.failure import fail

    quick_gelu = None if activation is None else activation == "quickgelu"
    try:
        if source.is_dir():
            weights = recognised_folder(source)
        else:
            if model is not None:
                check_model(model)
            weights = recognised_file(source, model, like=like, quick_gelu=quick_gelu)
        write(weights, out)
    except OSError as error:
        fail(
            BackboneError(
                f"{error.filename or out}: {error.strerror or error}; nothing was written"
            )
        )
    except Exception as error:
        fail(error)
    pixels = weights.preprocess_cfg
    typer.echo(f"{source} is {weights.found}")
    for remark in weights.remarks:
        typer.echo(f"  {remark}")
    for name in ("vision_cfg", "text_cfg"):
        told = ", ".join(
            f"{key} {value}" for key, value in weights.model_cfg[name].items() if _plain(value)
        )
        typer.echo(f"  {name}: {told}")
    typer.echo(f"  quick_gelu: {'yes' if weights.model_cfg.get('quick_gelu') else 'no'}")
    typer.echo(f"  pixels: {', '.join(f'{key} {value}' for key, value in pixels.items())}")
    typer.echo(f"{out} was written and loaded; serve it: handful serve --backbone local-dir:{out}")


def _plain(value: object) -> bool:
    return isinstance(value, int | float | str | list)
