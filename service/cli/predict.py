"""``handful predict``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.running_service import (
    ClassifierArgument,
    KeyOption,
    UrlOption,
    check_alone,
    service_at,
)
from service.cli.shared_options import AdapterOption, BackboneOption, PromptsOption

if TYPE_CHECKING:
    from service.batch_prediction.local_predictions import Predict
    from service.batch_prediction.prediction_file import PredictionFile, PredictionRow

_SUFFIXES = (".csv", ".jsonl")
# Exit status where every image has a row, some of them with an error.
_SOME_FAILED = 3


def predict(
    classifier: ClassifierArgument,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Holds the images."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Table of the answers, .csv or .jsonl; one that is there is gone on with.",
        ),
    ],
    url: UrlOption = None,
    key: KeyOption = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the database.")] = None,
    backbone: BackboneOption = None,
    prompts: PromptsOption = None,
    adapter: AdapterOption = None,
) -> None:
    """Classify all images below a folder, by a database or a running service (--url).

    The same command goes on where it was broken off. Exit status 3: some images cannot be used;
    their rows say why.
    """
    if out.suffix.lower() not in _SUFFIXES:
        raise typer.BadParameter(f"--out takes a file ending in .csv or .jsonl; not {out.name!r}")
    options = {"data_dir": data_dir, "backbone": backbone, "prompts": prompts, "adapter": adapter}
    check_alone(url, **options)

    from service.batch_prediction.prediction_file import PredictionFile, PredictionFileError
    from service.class_folders.droppings import why_skipped
    from service.class_folders.on_disk import files_below

    try:
        names = [name for name in files_below(folder) if not why_skipped(name.split("/"))]
    except OSError as error:
        raise typer.BadParameter(f"{error.filename} cannot be read ({error.strerror})") from error
    try:
        with PredictionFile(out, classifier) as file:
            left = [name for name in names if name not in file.done]
            if left:
                asking = (
                    _of_database(classifier, options)
                    if url is None
                    else _of_service(url, key, classifier)
                )
                with asking as ask:
                    _write(file, ask(folder, left), len(names), len(left))
            typer.echo(
                f"{len(names)} images: {len(left)} predicted now, {len(names) - len(left)} before; "
                f"{file.failed} cannot be used; {out}"
            )
            failed = file.failed
    except PredictionFileError as error:
        raise typer.BadParameter(str(error)) from error
    except OSError as error:
        raise typer.BadParameter(f"{out} cannot be written ({error.strerror})") from error
    if failed:
        raise typer.Exit(_SOME_FAILED)


def _write(file: PredictionFile, rows: Iterator[PredictionRow], total: int, left: int) -> None:
    from rich.console import Console

    from service.progress_bar import progress_bar

    with progress_bar(Console(stderr=True)) as bar:
        task = bar.add_task("predicting", total=total, completed=total - left)
        for row in rows:
            file.add(row)
            bar.advance(task)


@contextmanager
def _of_database(classifier: str, options: Mapping[str, object]) -> Iterator[Predict]:
    from rich.console import Console

    from service.batch_prediction.local_predictions import local_predictions
    from service.cli.configuration import settings_with_options
    from service.cli.failure import fail
    from service.cli.feature_extraction import load_encoder_with_status
    from service.private_files import keep_private

    settings = settings_with_options(**options)
    keep_private(settings)
    console = Console(stderr=True)
    try:
        with local_predictions(
            settings,
            classifier,
            lambda recipe: load_encoder_with_status(settings, console, recipe),
        ) as ask:
            yield ask
    except OSError:
        raise
    except Exception as error:
        fail(error)


@contextmanager
def _of_service(url: str, key: str | None, classifier: str) -> Iterator[Predict]:
    from service.batch_prediction.prediction_file import PredictionRow

    with service_at(url, key) as client:
        from handful_client import RefusedImage

        def ask(folder: Path, names: Sequence[str]) -> Iterator[PredictionRow]:
            answers = client.classifier(classifier).predict_many(
                (folder / name for name in names), top_k=1, evidence=0, on_refusal="yield"
            )
            for name, answer in zip(names, answers, strict=True):
                if isinstance(answer, RefusedImage):
                    yield PredictionRow(file=name, classifier=classifier, error=answer.reason)
                    continue
                yield PredictionRow(
                    file=name,
                    classifier=classifier,
                    label=answer.label,
                    probability=answer.probability,
                    known=answer.known,
                    p_value=answer.p_value,
                    prediction_set=answer.prediction_set
                    if answer.labels is None
                    else answer.labels,
                )

        yield ask
