"""``handful suggest``."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from service.cli.running_service import KeyOption, UrlOption, check_alone
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
)
from service.cli.suggestions_of_service import suggest_by_service


def suggest(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="The images to choose among, in folders of their classes or not."
        ),
    ],
    number: Annotated[
        int,
        typer.Option(
            "--number",
            "-n",
            min=1,
            help="How many: of each class where folders are classes, in all where not.",
        ),
    ] = 5,
    support: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Holds CLASS/*: what is registered already.")
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What handful export or GET .../export wrote, in its place; with --url, a name.",
        ),
    ] = None,
    folders: Annotated[
        bool, typer.Option(help="Whether folders in DIR are the classes of its images.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    template: TemplateOption = None,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    backbone: BackboneOption = None,
    prompts: PromptsOption = None,
    adapter: AdapterOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Say which images of a folder to label or register next, best first."""
    if url is not None:
        check_alone(
            url,
            support=support,
            template=template or None,
            cache=cache,
            no_cache=no_cache or None,
            backbone=backbone,
            prompts=prompts,
            adapter=adapter,
        )
        if classifier is None:
            raise typer.BadParameter("--url asks for the name of a classifier: --classifier NAME")
        suggest_by_service(
            folder, number, str(classifier), url, key, folders=folders, as_json=as_json
        )
        return
    from service.datasets.dataset import DatasetError
    from service.suggestions.known_support import KnownSupport, read_exported, read_support
    from service.suggestions.pool_folder import PoolFolder

    check_templates(template)
    check_cache(cache, no_cache)
    if support is not None and classifier is not None:
        raise typer.BadParameter("--support and --classifier contradict each other; give one")
    if template and support is None:
        raise typer.BadParameter("--template is for the classes of --support")
    try:
        pool = PoolFolder.read(folder, folders=folders)
        classes = None if support is None else read_support(support)
    except DatasetError as error:
        raise typer.BadParameter(str(error)) from error

    from rich.console import Console

    from service.cli.configuration import settings_with_options
    from service.cli.feature_extraction import exit_on_error, extraction_summary, feature_extractor
    from service.encoder import recipe_of_file
    from service.suggestions.folder_suggestions import suggest_files, suggestions_table

    settings = settings_with_options(backbone=backbone, prompts=prompts, adapter=adapter)
    check_prompts(template, settings.prompts)
    console = Console(stderr=True)
    began = perf_counter()
    with exit_on_error():
        exported = None if classifier is None else read_exported(classifier, settings)
        recipe = None if exported is None else recipe_of_file(settings, exported.source.fingerprint)
        encoder, features = feature_extractor(settings, console, cache, no_cache, recipe)
        known = None
        if classes is not None:
            known = KnownSupport.of_folder(classes, encoder, features, tuple(template or ()))
        elif classifier is not None and exported is not None:
            known = KnownSupport.of_file(classifier, exported, encoder)
        features.compute(pool.paths)
        found = suggest_files(pool, features.of(pool.paths), known, number)
    if as_json:
        typer.echo(json.dumps(found.json(), ensure_ascii=False, indent=2))
    else:
        Console().print(suggestions_table(found), "")
        for copy in found.duplicates:
            typer.echo(f"{copy.file} is registered: {copy.of.file or 'an image'} ({copy.of.label})")
    console.print(
        f"{len(found.suggestions)} of {found.n_images} images suggested, "
        f"{extraction_summary(features)}, {perf_counter() - began:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
