"""``handful evaluate``."""

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


class Protocol(StrEnum):
    """How settings are chosen: by the support images, or as papers do, by validation images."""

    FEW_SHOT = "few-shot"
    PAPER = "paper"


def evaluate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Holds train/CLASS/* and test/CLASS/*.")
    ],
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="few-shot: settings by leave-one-out, as in the service. paper: searched on "
            "validation images, as published figures are; see docs/reproduce.md."
        ),
    ] = Protocol.FEW_SHOT,
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With --protocol paper: CLASS/* to search settings on; val of the first DIR by "
            "default.",
        ),
    ] = None,
    shots: Annotated[str, typer.Option(help="Support images a class.")] = "1,2,4,8,16",
    seeds: Annotated[int, typer.Option(min=1, help="Number of draws at each number of shots.")] = 3,
    methods: Annotated[
        str | None, typer.Option(help="Heads, as auto,tip-adapter++; all by default.")
    ] = None,
    queries_from: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the queries from this folder's test/CLASS/*."),
    ] = None,
    leave_classes_out: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Leave this share of the classes out of each draw and measure how well their "
            "images are told from those of the others.",
        ),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Measure prediction sets that should hold the true class this often, as 0.9.",
        ),
    ] = None,
    support_views: Annotated[
        int,
        typer.Option(
            min=1,
            max=32,
            help="Views of each support image, which are averaged: itself and random crops.",
        ),
    ] = 1,
    suggested: Annotated[
        bool,
        typer.Option(
            "--suggested",
            help="Support images are those that handful suggest would choose out of a random "
            "three quarters of the training images, in place of random ones.",
        ),
    ] = False,
    template: TemplateOption = None,
    nameless: Annotated[
        bool, typer.Option("--nameless", help="Class names carry no meaning: no zero-shot term.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write results.json, results.csv, accuracy.png and reliability.png here.",
        ),
    ] = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    backbone: BackboneOption = None,
    prompts: PromptsOption = None,
    adapter: AdapterOption = None,
) -> None:
    """Measure few-shot accuracy and calibration on a folder of images."""
    from service.datasets.dataset import DatasetError, read_dataset

    check_templates(template)
    check_cache(cache, no_cache)
    numbers = _numbers(shots)
    sets = _share("--coverage", coverage)
    held_out = _share("--leave-classes-out", leave_classes_out)
    try:
        dataset = read_dataset(folder, queries_from)
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error
    if protocol is Protocol.PAPER:
        from service.cli.evaluate_published import evaluate_published, published_methods

        _check_paper(
            {
                "--coverage": sets,
                "--leave-classes-out": held_out,
                "--support-views": support_views > 1,
                "--suggested": suggested,
                "--nameless": nameless,
                "--prompts": prompts,
            }
        )
        evaluate_published(
            folder,
            dataset,
            validation,
            methods=published_methods(methods),
            shots=numbers,
            seeds=tuple(range(seeds)),
            templates=tuple(template or ()),
            out=out,
            cache=cache,
            no_cache=no_cache,
            backbone=backbone,
            adapter=adapter,
        )
        return
    if validation is not None:
        raise typer.BadParameter(
            "--validation goes with --protocol paper; otherwise settings are chosen by the support "
            "images alone"
        )
    chosen = _methods(methods, nameless)

    from rich.console import Console

    from service.cli.configuration import settings_with_options
    from service.cli.feature_extraction import (
        exit_on_error,
        extraction_summary,
        feature_extractor,
        features_of,
    )
    from service.evaluation.few_shot_protocol import FewShotProtocol
    from service.evaluation.few_shot_protocol import evaluate as run
    from service.evaluation.result_files import write
    from service.evaluation.result_tables import tables

    few_shot = FewShotProtocol(
        methods=chosen,
        shots=numbers,
        seeds=tuple(range(seeds)),
        templates=tuple(template or ()),
        names_carry_meaning=not nameless,
        coverage=sets,
        leave_classes_out=held_out,
        support_views=support_views,
        suggested=suggested,
    )
    settings = settings_with_options(backbone=backbone, prompts=prompts, adapter=adapter)
    check_prompts(template, settings.prompts)
    if out is not None:
        make_folder(out)
    console = Console(stderr=True)
    began = perf_counter()
    with exit_on_error():
        encoder, features = feature_extractor(settings, console, cache, no_cache)
        every = [features]
        if support_views > 1:
            views = features_of(encoder, settings, console, cache, no_cache, support_views)
            every.append(views)
        results = run(dataset, encoder, features, few_shot, console, *every[1:])
    for table in tables(dataset, few_shot, results):
        Console().print(table, "")
    if out is not None:
        with writing_to(out):
            write(out, dataset, encoder, few_shot, results)
    console.print(
        f"{extraction_summary(*every)}, "
        f"{len(results)} heads fitted, {perf_counter() - began:.1f} s"
        + (f"; results are in {out}" if out is not None else ""),
        highlight=False,
        soft_wrap=True,
    )


def _check_paper(given: dict[str, object]) -> None:
    if strangers := [option for option, value in given.items() if value not in (None, False)]:
        raise typer.BadParameter(
            f"{strangers[0]} does not go with --protocol paper, which is evaluated as published; "
            "leave out one of them"
        )


def _methods(asked: str | None, nameless: bool) -> tuple[str, ...]:
    from adapters.heads import HEADS

    chosen = [name.strip() for name in asked.split(",")] if asked else list(HEADS)
    if unknown := [name for name in chosen if name not in HEADS]:
        raise typer.BadParameter(f"no method {unknown[0]!r}; there are {', '.join(HEADS)}")
    unusable = [name for name in chosen if nameless and HEADS[name].needs_names]
    if unusable and asked:
        raise typer.BadParameter(
            f"{unusable[0]} needs class names that carry meaning; "
            "leave it out of --methods, or leave out --nameless"
        )
    return tuple(name for name in dict.fromkeys(chosen) if name not in unusable)


def _numbers(shots: str) -> tuple[int, ...]:
    try:
        numbers = [int(part) for part in shots.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise typer.BadParameter(f"--shots takes numbers of at least 1, as 1,4,16; not {shots!r}")
    return tuple(sorted(set(numbers)))


def _share(option: str, value: float | None) -> float | None:
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"{option} takes a share between 0 and 1, as 0.5; not {value:g}")
    return value
