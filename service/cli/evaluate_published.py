"""``handful evaluate --protocol paper``."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import typer

from service.cli.shared_options import make_folder, writing_to
from service.datasets.dataset import Dataset, DatasetError


def published_methods(asked: str | None) -> tuple[str, ...]:
    """The heads that are asked for; all that the papers' protocol has if none.

    Raises:
        typer.BadParameter: One of them is not among these.
    """
    from adapters.published import PUBLISHED_HEADS
    from service.evaluation.published_protocol import check_published

    chosen = [name.strip() for name in asked.split(",")] if asked else list(PUBLISHED_HEADS)
    for name in chosen:
        try:
            check_published(name)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return tuple(dict.fromkeys(chosen))


def evaluate_published(
    folder: Path,
    dataset: Dataset,
    validation: Path | None,
    *,
    methods: tuple[str, ...],
    shots: tuple[int, ...],
    seeds: tuple[int, ...],
    templates: tuple[str, ...],
    out: Path | None,
    cache: Path | None,
    no_cache: bool,
    backbone: str | None,
    adapter: str | None,
) -> None:
    """Search settings on validation images, and print and write what they reach on test images.

    Args:
        folder: Of the data set; may hold ``val`` and ``classes.json``.
        dataset: What was read of it.
        validation: Folder of the validation images; ``folder/val`` if None.
        methods: Heads.
        shots: Support images a class.
        seeds: Of the draws.
        templates: Those of ``classes.json``, or the backbone's own, if empty.
        out: Folder for results.
        cache: Folder of features; in the user's cache folder if None.
        no_cache: Neither read nor keep features.
        backbone: Name.
        adapter: As for ``handful serve``.

    Raises:
        typer.BadParameter: Folders are not laid out as needed.
        typer.Exit: Anything else went wrong; it was said what.
    """
    from service.evaluation.published_names import read_names
    from service.evaluation.published_protocol import read_validation

    where = folder / "val" if validation is None else validation
    try:
        held = read_validation(where, dataset)
        read = read_names(folder, dataset)
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error

    from rich.console import Console

    from adapters.engines.raw import Raw
    from adapters.loading import load_backbone
    from service.cli.configuration import settings_with_options
    from service.cli.feature_extraction import exit_on_error, extraction_summary
    from service.datasets.feature_cache import default_folder
    from service.evaluation.published_features import CROPS, PublishedFeatures
    from service.evaluation.published_protocol import PublishedProtocol
    from service.evaluation.published_protocol import evaluate_published as run
    from service.evaluation.published_results import published_tables, write_published

    settings = settings_with_options(backbone=backbone, adapter=adapter)
    if settings.prompts is not None:
        raise typer.BadParameter(
            "prompts do not go with --protocol paper, which writes class texts with templates; "
            "unset HANDFUL_PROMPTS"
        )
    if out is not None:
        make_folder(out)
    console = Console(stderr=True)
    began = perf_counter()
    kept = None if no_cache else cache or default_folder()
    with exit_on_error():
        with console.status(f"loading backbone {settings.backbone}"):
            encoder = load_backbone(
                settings.backbone,
                settings.device,
                adapter=settings.adapter,
                make_engine=Raw.made,
            )
        queries = PublishedFeatures(encoder, settings, console, kept)
        support = PublishedFeatures(encoder, settings, console, kept, crops=CROPS)
        protocol = PublishedProtocol(
            methods,
            shots,
            seeds,
            templates or tuple(read.names.templates) or encoder.templates,
            read.names.names,
        )
        results = run(dataset, held, encoder, queries, support, protocol, console)
    for table in published_tables(dataset, protocol, results):
        Console().print(table, "")
    if out is not None:
        with writing_to(out):
            write_published(out, dataset, where, encoder, protocol, results)
    console.print(
        f"{extraction_summary(queries, support)}; class names "
        + ("of the folders" if read.path is None else f"from {read.path}")
        + f"; {sum(result.settings for result in results)} settings tried, "
        f"{perf_counter() - began:.1f} s" + (f"; results are in {out}" if out is not None else ""),
        highlight=False,
        soft_wrap=True,
    )
