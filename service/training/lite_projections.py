"""Runs the learning of `lite`'s projections, measures them if asked to, and writes both files.

It is not the common runner's, because nothing is read but packages: no images, no backbone to
load by name, no state to resume from. What is the same for all methods it shares: build, steps,
export, a record beside what was learned.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from PIL import Image
from rich.console import Console
from rich.progress import Progress, TaskID
from torch import Tensor

from adapters.backbones.dual_encoder import Preprocess
from adapters.backbones.lite import LITE_FOLDER
from adapters.backbones.lite.model import preprocessing
from adapters.backbones.lite.projections import PROJECTIONS_NAME, PROVENANCE_NAME
from adapters.training.methods.lite import LiteMethod
from adapters.training.methods.lite.generic_figures import LabelledFeatures
from adapters.training.methods.lite.method import LiteTraining

_PACKAGES = ("torch", "open_clip_torch", "timm", "transformers", "tokenizers")


def learn_projections(
    method: LiteMethod,
    console: Console,
    folder: Path = LITE_FOLDER,
    generic: Path | None = None,
) -> dict[str, Any]:
    """Learn the projections and write ``projections.safetensors`` and ``provenance.json``.

    Two runs with the same seed on one machine write the same projections, byte for byte.
    Takes about a minute on one core, and some ten more to measure.

    Args:
        method: How to learn.
        console: For progress.
        folder: Where both files go; by default into the package, where they are loaded from.
        generic: Folder with ``caltech101/CLASS/*`` and ``imagenet_one_per_class/WNID/*`` to
            measure on, beside variants without m²-Mix and without the contrastive steps;
            None measures nothing.

    Returns:
        The provenance as written.

    Raises:
        WeightsUnavailable: A file of a tower is missing or not the expected one.
        OSError: The files cannot be written, or the images not be read.
    """
    losses: list[float] = []
    with Progress(console=console) as progress, _one_thread():
        reading = progress.add_task("encoding the names of 1000 classes", total=1.0)
        training = method.build(_reporter(progress, reading))
        learning = progress.add_task("learning the projections", total=float(method.config.steps))

        def report(step: int, loss: float) -> None:
            losses.append(loss)
            progress.update(
                learning, completed=float(step), description=f"learning, loss {loss:.3f}"
            )

        learned = training.learn(report)
    content = safetensors.torch.save(learned.state())
    provenance: dict[str, Any] = {
        "command": f"handful train lite --seed {method.seed}",
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "sha256": hashlib.sha256(content).hexdigest(),
        **training.record(),
        "packages": {name: version(name) for name in _PACKAGES},
        "loss": {"first": losses[0], "last": losses[-1]} if losses else {},
        "logit_scale": learned.logit_scale,
    }
    if generic is not None:
        provenance["figures"] = _figures(training, generic, console)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROJECTIONS_NAME).write_bytes(content)
    (folder / PROVENANCE_NAME).write_text(json.dumps(provenance, indent=2) + "\n", "utf-8")
    return provenance


def _figures(training: LiteTraining, generic: Path, console: Console) -> dict[str, Any]:
    with Progress(console=console) as progress, _one_thread():
        trunk = training.trunk.to(memory_format=torch.channels_last)
        caltech, imagenet = (
            _read_folder(
                generic / name,
                trunk,
                preprocessing(),
                _reporter(progress, progress.add_task(f"encoding {name}", total=1.0)),
            )
            for name in ("caltech101", "imagenet_one_per_class")
        )
        progress.add_task("measuring", total=None)
        return training.measure(caltech, imagenet)


@torch.no_grad()
def _read_folder(
    folder: Path,
    trunk: Callable[[Tensor], Tensor],
    preprocess: Preprocess,
    report: Callable[[float], None],
) -> LabelledFeatures:
    """Encode ``folder/CLASS/*`` with the image tower, sixteen images at a time."""
    paths = sorted(path for path in folder.glob("*/*") if path.is_file())
    classes = sorted({path.parent.name for path in paths})
    blocks: list[Tensor] = []
    for first in range(0, len(paths), 16):
        pixels = [preprocess(Image.open(path).convert("RGB")) for path in paths[first : first + 16]]
        blocks.append(trunk(torch.stack(pixels).contiguous(memory_format=torch.channels_last)))
        report(min(first + 16, len(paths)) / len(paths))
    labels = torch.tensor([classes.index(path.parent.name) for path in paths])
    return LabelledFeatures(torch.cat(blocks), labels, tuple(classes))


@contextmanager
def _one_thread() -> Iterator[None]:
    # Sums are taken in an order that depends on the number of threads; and on a shared machine
    # steps this small lose more by waiting for a second thread than they gain.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _reporter(progress: Progress, task: TaskID) -> Callable[[float], None]:
    return lambda part: progress.update(task, completed=part)
