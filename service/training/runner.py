"""The runner of all training methods: reads, builds, trains or resumes, measures, writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate.utils import gather_object
from rich.console import Console

from adapters.backbones import DualEncoder
from adapters.loading import load_dual_encoder
from adapters.training.loop import Examples, Progress, train
from adapters.training.method import Preprocessing, RunFacts, Trained, TrainingMethod
from service.images.decoding import training_reader
from service.progress_bar import training_bar
from service.settings import Settings
from service.training.checkpoint_file import CheckpointFile
from service.training.image_examples import ReadImage
from service.training.launcher import count, is_first, part
from service.training.run_folder import CHECKPOINT_NAME, write_losses, write_record

_PACKAGES = ("torch", "open_clip_torch", "timm", "accelerate")


class FileExamples(Examples, Protocol):
    """Examples that are read from files, some of which may be broken."""

    @property
    def broken(self) -> list[str]:
        """Images that could not be read so far and were replaced by others."""
        ...


class TrainingData(Sized, Protocol):
    """What a run is trained on: where it is, and how it becomes examples."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes; none where examples have no classes."""
        ...

    @property
    def identity(self) -> Mapping[str, str]:
        """What a state must be of to be resumed from."""
        ...

    def examples(self, preprocessing: Preprocessing, read: ReadImage, seed: int) -> FileExamples:
        """The examples for the loop."""
        ...

    def described(self, unreadable: int) -> dict[str, Any]:
        """What the record tells of the data; so many images could not be read."""
        ...

    def counted(self, unreadable: int) -> dict[str, int]:
        """What ``training.json`` tells beside the record in what was learned."""
        ...


class Measurement(Protocol):
    """What is measured around a run, by the first process."""

    def prepare(self, encoder: DualEncoder) -> None:
        """Take the model as it was loaded; all processes do."""
        ...

    def before(self) -> None:
        """Measure before the first step."""
        ...

    def after(self, trained: Trained) -> dict[str, Any]:
        """Measure after the last step, and return what the record tells of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """A run as it is asked for.

    Attributes:
        method: What is trained, with its configuration.
        backbone: Name of the backbone, as for :func:`adapters.loading.load_backbone`.
        data: What it is trained on.
        out: Folder for all that the run leaves and for the state to resume from.
        settings: Of the service: where to compute, which images are read.
        resume: Go on from the state in ``out``, or begin where there is none.
        measurement: What is measured before and after; None measures nothing.
    """

    method: TrainingMethod
    backbone: str
    data: TrainingData
    out: Path
    settings: Settings
    resume: bool = False
    measurement: Measurement | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave.

    Attributes:
        path: Of what was learned.
        record: How it was made, as in ``training.json``.
        progress: Of the loop, at its end.
        unreadable: Images that no process could read, by name.
    """

    path: Path
    record: dict[str, Any]
    progress: Progress
    unreadable: list[str]


def run(asked: TrainingRun, console: Console) -> Outcome:
    """Train, and leave what was learned, its record and its losses in a folder.

    Under ``torchrun`` or ``accelerate launch`` every process calls this; the first one measures
    and writes.

    Args:
        asked: What to do.
        console: For progress.

    Raises:
        BackboneError: The backbone cannot be loaded, or not be trained by this method.
        NoInsertionPointError: It has no blocks for an adapter.
        TrainingError: The run cannot begin or go on.
    """
    method, data, measurement = asked.method, asked.data, asked.measurement
    loop = method.loop_settings(len(data), count())
    with console.status(f"loading backbone {asked.backbone}"):
        encoder = load_dual_encoder(asked.backbone)
    if measurement is not None:
        measurement.prepare(encoder)
    torch.manual_seed(method.seed)
    training = method.build(encoder, data.classes)
    read = training_reader(asked.settings.max_image_pixels)
    examples = data.examples(training.preprocessing, read, method.seed)
    if measurement is not None and is_first():
        measurement.before()
    checkpoint = CheckpointFile(asked.out / CHECKPOINT_NAME)
    with training_bar(console, shown=is_first()) as report:
        progress = train(
            training.objective,
            examples,
            loop,
            checkpoint,
            device=asked.settings.device,
            resume=asked.resume,
            identity={**training.identity, **data.identity, "processes": count()},
            report=report,
        )
    unreadable = sorted(set(gather_object(examples.broken)))
    trained = training.export()
    path = asked.out / trained.file_name
    record: dict[str, Any] = {}
    if is_first():
        record = training.record(
            RunFacts(
                data=data.described(len(unreadable)),
                settings=loop,
                processes=count(),
                measured={} if measurement is None else measurement.after(trained),
                ended=_ended(progress),
            )
        )
        # The same run gives the same file, however long it took.
        trained.save(path, {name: value for name, value in record.items() if name != "seconds"})
        write_losses(asked.out, progress.losses)
        record |= data.counted(len(unreadable))
        write_record(asked.out, record)
        checkpoint.remove()
    part()
    return Outcome(path, record, progress, unreadable)


def _ended(progress: Progress) -> dict[str, Any]:
    return {
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "loss": {"first": progress.losses[0], "last": progress.losses[-1]},
        "packages": {name: version(name) for name in _PACKAGES},
    }
