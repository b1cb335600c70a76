"""A training run of prompts, from its plan to the files it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from adapters.backbones import LITE, Backbone
from adapters.backbones.backbone import readable
from adapters.backbones.open_clip_models import Parts, load_open_clip
from adapters.corrections import Uncorrected
from adapters.corrections.bottleneck.checkpoint import tower_fingerprint
from adapters.prompts import (
    PROMPTS_NAME,
    CommaConfig,
    PromptedBackbone,
    PromptError,
    TrainedPrompts,
)
from service.training.training_images import TrainingImages
from adapters.training.loop import CHECKPOINT_NAME, LoopSettings
from adapters.training.methods.comma import DEFAULTS, augmented, learn_prompts
from service.training.run_folder import record, write_run
from service.training.image_examples import Pictures
from service.cli.train.arguments import tell_broken
from service.training.launcher import count, is_first
from service.training.progress_bar import training_bar
from service.evaluation.base_to_novel import Generalisation, generalisation, read_halves
from service.evaluation.dataset import Dataset, DatasetError, read_classes
from service.images.reading import training_reader
from service.settings import Settings

_CROP = 4
"""Pictures are decoded at up to this many times what the tower takes: crops are parts of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is asked to do.

    Attributes:
        backbone: Name of an open_clip model, as for `load_backbone`.
        data: Folder with ``train/CLASS/*``, or with ``CLASS/*``.
        out: Folder for the results and for the state to resume from.
        shots: Images a class to train on.
        config: Of the prompts.
        loop: Of the training; its seed also decides which images are drawn.
        base_to_novel: Train on the first half of the classes and measure on both.
        resume: Go on from the state in ``out``.
    """

    backbone: str
    data: Path
    out: Path
    shots: int = 16
    config: CommaConfig = field(default_factory=CommaConfig)
    loop: LoopSettings = DEFAULTS
    base_to_novel: bool = False
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gave.

    Attributes:
        path: Of the trained prompts.
        made: The record, which is also in ``training.json``.
        trained: Base to novel with the trained prompts, if it was asked for.
        written: The same with the hand-written ones.
    """

    path: Path
    made: dict[str, Any]
    trained: Generalisation | None = None
    written: Generalisation | None = None


def run(plan: Plan, settings: Settings, console: Console) -> Outcome:
    """Train prompts and, if asked for, measure them from base to novel classes.

    Args:
        plan: What to do.
        settings: Where to compute, and for reading test images.
        console: For progress and warnings.

    Raises:
        DatasetError: The folder is not laid out as needed.
        BackboneError: The backbone cannot be loaded, or takes no prompts.
        TrainingError: The training cannot go on.
    """
    base, novel = read_halves(plan.data) if plan.base_to_novel else (None, None)
    dataset = base or read_training(plan.data)
    if plan.backbone == LITE:
        raise PromptError(
            f"{LITE} has no towers that take prompts; name an open_clip ViT with --backbone, as "
            "ViT-B-16/openai"
        )
    with console.status(f"loading backbone {plan.backbone}"):
        parts = load_open_clip(plan.backbone)
        fingerprint = tower_fingerprint(parts[0])
    pictures = _pictures(dataset, plan, parts, settings.max_image_pixels)
    identity: dict[str, int | float | str] = {
        "objective": "comma",
        "model": fingerprint,
        "prompts": str(plan.config),
        "data": pictures.data.digest,
        "processes": count(),
    }
    with training_bar(console, shown=is_first()) as report:
        learned = learn_prompts(
            parts[0],
            parts[2],
            [readable(label) for label in dataset.labels],
            pictures,
            plan.config,
            plan.loop,
            plan.out,
            device=settings.device,
            resume=plan.resume,
            identity=identity,
            report=report,
        )
    tell_broken(console, pictures.broken)
    made = record(
        learned.progress,
        objective="comma",
        backbone=plan.backbone,
        prompts=plan.config.as_dict(),
        learned_parameters=learned.parameters,
        data={
            "name": dataset.name,
            "classes": list(dataset.labels),
            "shots": plan.shots,
            "images": len(pictures),
            "digest": pictures.data.digest,
        },
        processes=count(),
        **asdict(plan.loop),
    )
    path = plan.out / PROMPTS_NAME
    if not is_first():
        return Outcome(path, made)
    # The same run gives the same file, however long it took.
    kept = {name: value for name, value in made.items() if name != "seconds"}
    trained = TrainedPrompts(
        plan.config, learned.text, learned.vision, plan.backbone, fingerprint, kept
    )
    numbers: tuple[Generalisation, ...] = ()
    if base is not None and novel is not None:
        device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
        prompted = PromptedBackbone(plan.backbone, parts, Uncorrected(), trained, path, device)
        written = Backbone(plan.backbone, *parts, Uncorrected(), (plan.config.template,), device)
        numbers = tuple(
            generalisation(backbone, base, novel, settings, console)
            for backbone in (prompted, written)
        )
        made["base_to_novel"] = kept["base_to_novel"] = {
            "classes": {"base": list(base.labels), "novel": list(novel.labels)},
            "trained": numbers[0].as_dict(),
            "hand_written": numbers[1].as_dict(),
        }
    trained.save(path)
    write_run(plan.out, learned.progress, made)
    (plan.out / CHECKPOINT_NAME).unlink(missing_ok=True)
    return Outcome(path, made, *numbers)


def read_training(folder: Path) -> Dataset:
    """List the training images of a folder; what is under ``test`` is left out.

    Args:
        folder: Holds ``train/CLASS/*`` or ``CLASS/*``.

    Raises:
        DatasetError: There are no images, or fewer than two classes.
    """
    split = folder / "train"
    where = split if split.is_dir() else folder
    train = read_classes(where)
    if len(train) < 2:
        raise DatasetError(f"{where} has one class only; add a folder with images of another one")
    labels = tuple(sorted(train))
    return Dataset(folder.resolve().name, labels, train, dict.fromkeys(labels, ()))


def _pictures(dataset: Dataset, plan: Plan, parts: Parts, max_pixels: int) -> Pictures:
    model, preprocess, _ = parts
    visual: Any = model.get_submodule("visual")
    side = max(visual.image_size) if isinstance(visual.image_size, tuple) else visual.image_size
    drawn = dataset.draw(plan.shots, plan.loop.seed)
    number = {label: i for i, label in enumerate(dataset.labels)}
    data = TrainingImages(
        tuple(example.path for example in drawn),
        tuple(number[example.label] for example in drawn),
        dataset.labels,
    )
    return Pictures(
        data,
        augmented(preprocess, visual.image_size),
        read=training_reader(max_pixels),
        seed=plan.loop.seed,
        side=_CROP * side,
        labelled=True,
    )
