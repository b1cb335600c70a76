"""Fine-tunes a model on pairs of images and texts, and writes what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import open_clip
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import Tensor, nn

from adapters.backbones import Backbone
from adapters.backbones.folder import folder_config, write_folder
from adapters.corrections import Uncorrected
from adapters.corrections.bottleneck import BottleneckAdapter, attach
from adapters.corrections.bottleneck.checkpoint import save_adapter, tower_fingerprint
from adapters.loading import load_dual_encoder
from adapters.training.errors import TrainingError
from adapters.training.loop import CHECKPOINT_NAME, LoopSettings, train
from adapters.training.methods.mixup.learned import Learned, choose
from adapters.training.methods.mixup.measured import hold_out, measure
from adapters.training.methods.mixup.objective import MixupObjective, MixupSettings
from adapters.training.output import record, write_run
from adapters.training.pair_examples import PairExamples
from adapters.training.pairs import Pair, digest
from adapters.training.reading import ReadImage

MODEL_NAME = "model"
ADAPTER_NAME = "adapter.safetensors"
LEARNING_RATES: dict[Learned, float] = {"model": 1e-5, "projections": 1e-4, "adapter": 1e-3}
"""Peaks for what is learned; the first is the authors', the others begin from less that is good."""


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What a run made.

    Attributes:
        made: Its record, as in ``training.json``.
        path: Of the model's folder or of the adapter.
        broken: Images that could not be read and were replaced, those seen by all processes.
    """

    made: dict[str, Any]
    path: Path
    broken: list[str]


def fine_tune(
    name: str,
    pairs: Sequence[Pair],
    folder: Path,
    *,
    read: ReadImage,
    learned: Learned,
    mixup: MixupSettings,
    settings: LoopSettings,
    data: str,
    device: str | None = None,
    resume: bool = False,
    report: Callable[[int, int, float], None] = lambda _step, _steps, _loss: None,
) -> FineTuned:
    """Fine-tune a backbone on pairs under the contrastive loss with geodesic mixes.

    Writes ``model/`` (loaded as ``local-dir:FOLDER/model``) or ``adapter.safetensors``, and
    ``training.json``, ``losses.csv`` and ``losses.png``, by the main process alone.

    Args:
        name: Of the backbone, as for :func:`adapters.loading.load_backbone`.
        pairs: A tenth of the images is held out, to measure on before and after.
        folder: For all that is written.
        read: Makes pictures of image files.
        learned: What is fine-tuned.
        mixup: See `MixupSettings`.
        settings: See `LoopSettings`.
        data: How the record names the pairs.
        device: ``cpu`` to stay off a GPU; None takes what accelerate finds.
        resume: Go on from the state in the folder, or begin where there is none.
        report: Called with steps done, all steps and the loss after each step.

    Raises:
        BackboneError: The model cannot be loaded, or could not be written as a folder.
        NoInsertionPointError: Its image tower has no place for an adapter.
        TrainingError: The run cannot begin or go on.
    """
    state = PartialState(cpu=device == "cpu")
    encoder = load_dual_encoder(name)
    model, tokenizer = encoder.model, encoder.tokenizer
    if not encoder.fine_tunable and learned != "adapter":
        raise TrainingError(
            f"the towers and projections of {name} come with the package and are compared with "
            "their SHA-256, so changed ones could not be loaded; learn an adapter (--learn "
            "adapter), or fine-tune another backbone"
        )
    if learned != "adapter":
        folder_config(name, model, tokenizer)  # Tells before the work whether it can be written.
    backbone = Backbone(encoder, Uncorrected(), device=state.device)
    fingerprint = tower_fingerprint(model.get_submodule("visual"))
    names = choose(model, learned)
    torch.manual_seed(settings.seed)
    adapter = attach(model.get_submodule("visual")) if learned == "adapter" else None
    learning, held_out = hold_out(pairs, settings.seed)
    examples = PairExamples(learning, augmentation(model), tokenizer, read=read, seed=settings.seed)
    if learned == "model" and settings.save_every is None:
        # A state is three times the model, so it is written once an epoch.
        step = settings.batch * settings.accumulate * state.num_processes
        settings = replace(settings, save_every=max(1, len(examples) // step))
    objective = MixupObjective(model, mixup, adapter=adapter, cut_padding=_cuts_padding(tokenizer))
    before = measure(backbone, held_out, read) if state.is_main_process else None
    progress = train(
        objective,
        examples,
        settings,
        folder,
        device=device,
        resume=resume,
        report=report,
        identity={
            "backbone": name,
            "learned": learned,
            "pairs": digest(pairs),
            "mixes": str(mixup.as_dict()),
            "processes": state.num_processes,
        },
    )
    broken = sorted(set(gather_object(examples.broken)))
    after = measure(backbone, held_out, read) if state.is_main_process else None
    made = record(
        progress,
        objective="mixup",
        backbone=name,
        learned={"what": learned, "parameters": _count(model, names, adapter)},
        data={
            "pairs": data,
            "digest": digest(pairs),
            "learned_from": len(learning),
            "unreadable_images": len(broken),
        },
        mixup=mixup.as_dict(),
        settings=asdict(settings) | {"processes": state.num_processes},
        held_out={"before": before, "after": after},
        logit_scale=float(model.get_parameter("logit_scale").detach().exp()),
    )
    path = folder / (MODEL_NAME if adapter is None else ADAPTER_NAME)
    if state.is_main_process:
        if adapter is None:
            write_folder(path, name, model, tokenizer)
        else:
            # The same run gives the same file, however long it took.
            kept = {key: value for key, value in made.items() if key != "seconds"}
            save_adapter(path, adapter, backbone=name, fingerprint=fingerprint, made=kept)
        write_run(folder, progress, made)
        (folder / CHECKPOINT_NAME).unlink(missing_ok=True)
    state.wait_for_everyone()
    return FineTuned(made, path, broken)


def augmentation(model: nn.Module) -> Any:
    """Return open_clip's transform for training: a crop of at least nine tenths of the image.

    Args:
        model: Whose size and normalisation it takes.
    """
    config = PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    return image_transform_v2(config, is_train=True)


def _cuts_padding(tokenizer: Callable[[Sequence[str]], Tensor]) -> bool:
    # A tokenizer does so only where the text tower masks padding, as that of `lite`.
    return tokenizer(["a"]).shape[1] < tokenizer(["a " * 500]).shape[1]


def _count(model: nn.Module, names: Sequence[str], adapter: BottleneckAdapter | None) -> int:
    values = [model.get_parameter(name) for name in names]
    return sum(value.numel() for value in [*values, *(adapter.parameters() if adapter else ())])
