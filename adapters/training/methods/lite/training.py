"""Learns the projections of `lite` from registry packages alone and writes them with their history.

No image takes part: the classifier of the image tower stands for images, the names of its
classes for captions. Generic images, where there are any, only measure the result.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from rich.console import Console
from rich.progress import Progress, TaskID
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.backbones.lite import LITE_FOLDER
from adapters.backbones.lite.model import build_towers, preprocessing, tokenizer
from adapters.backbones.lite.pinned_files import TOWER_FILES
from adapters.backbones.lite.projections import PROJECTIONS_NAME, PROVENANCE_NAME
from adapters.backbones.lite.tower_weights import image_tower_state
from adapters.training.methods.lite.class_names import PROMPTS, class_names, prompts
from adapters.training.methods.lite.generic_figures import measure, read_folder
from adapters.training.methods.lite.learning import ClassTexts, Settings, centred_rows, learn

_PACKAGES = ("torch", "open_clip_torch", "timm", "transformers", "tokenizers")


def train(
    seed: int = 0,
    folder: Path = LITE_FOLDER,
    generic: Path | None = None,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Learn the projections and write ``projections.safetensors`` and ``provenance.json``.

    Two runs with the same seed on one machine write the same projections, byte for byte.
    Takes about a minute on one core, and some ten more to measure.

    Args:
        seed: Decides every random draw.
        folder: Where both files go; by default into the package, where they are loaded from.
        generic: Folder with ``caltech101/CLASS/*`` and ``imagenet_one_per_class/WNID/*`` to
            measure on, beside variants without m²-Mix and without the contrastive steps;
            None measures nothing.
        settings: What to depart from; None for what was chosen.

    Returns:
        The provenance as written.

    Raises:
        WeightsUnavailable: A file of a tower is missing or not the expected one.
        OSError: The files cannot be written, or the images not be read.
    """
    settings = settings or Settings()
    model = build_towers()
    rows = centred_rows(image_tower_state()["classifier.weight"])
    with Progress(console=Console(stderr=True)) as progress, _one_thread():
        reading = progress.add_task("encoding the names of 1000 classes", total=1.0)
        encode = _text_encoder(model)
        texts = _class_texts(encode, _reporter(progress, reading))
        learning = progress.add_task("learning the projections", total=float(settings.steps))
        losses: list[float] = []

        def note(step: int, loss: float) -> None:
            losses.append(loss)
            progress.update(
                learning, completed=float(step), description=f"learning, loss {loss:.3f}"
            )

        learned = learn(rows, texts, settings, seed, note)
    content = safetensors.torch.save(learned.state())
    provenance: dict[str, Any] = {
        "command": f"handful train lite --seed {seed}",
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "seed": seed,
        "settings": dataclasses.asdict(settings),
        "data": {
            "images": "none: rows of the ImageNet-1k classifier of EfficientNet-Lite0, plus noise",
            "texts": "class names of open_clip and WordNet synonyms of timm",
            "prompts": list(PROMPTS),
        },
        "tower_files": {f"{file.distribution}: {file.path}": file.sha256 for file in TOWER_FILES},
        "packages": {name: version(name) for name in _PACKAGES},
        "loss": {"first": losses[0], "last": losses[-1]} if losses else {},
        "logit_scale": learned.logit_scale,
    }
    if generic is not None:
        variants = {
            "as shipped": settings,
            "without m2-Mix": dataclasses.replace(settings, mix_weight=0.0),
            "closed form only": dataclasses.replace(settings, steps=0),
            "contrastive from a random start": dataclasses.replace(
                settings, closed_form=False, steps=300, learning_rate=2e-3
            ),
        }
        with Progress(console=Console(stderr=True)) as progress, _one_thread():
            trunk = model.visual.trunk.to(memory_format=torch.channels_last)
            images = {
                name: read_folder(
                    generic / name,
                    trunk,
                    preprocessing(),
                    _reporter(progress, progress.add_task(f"encoding {name}", total=1.0)),
                )
                for name in ("caltech101", "imagenet_one_per_class")
            }
            progress.add_task("measuring", total=None)
            provenance["figures"] = measure(
                images["caltech101"],
                images["imagenet_one_per_class"],
                rows,
                texts,
                encode,
                variants,
                seed,
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROJECTIONS_NAME).write_bytes(content)
    (folder / PROVENANCE_NAME).write_text(json.dumps(provenance, indent=2) + "\n", "utf-8")
    return provenance


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


def _text_encoder(model: Any) -> Callable[[Sequence[str]], Tensor]:
    tower = model.text
    tower.proj = nn.Identity()
    tokenize = tokenizer()

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> Tensor:
        return normalize(tower(tokenize(texts)), dim=-1)

    return encode


def _class_texts(
    encode: Callable[[Sequence[str]], Tensor], report: Callable[[float], None]
) -> list[ClassTexts]:
    wordings = [prompts(names) for names in class_names()]
    every = [text for texts in wordings for text in texts]
    # Texts of like length share a batch, which leaves little padding to compute.
    order = sorted(range(len(every)), key=lambda i: len(every[i]))
    blocks = []
    for first in range(0, len(order), 128):
        blocks.append(encode([every[i] for i in order[first : first + 128]]))
        report(min(first + 128, len(order)) / len(order))
    features = torch.cat(blocks)[torch.argsort(torch.tensor(order))]
    parts = torch.split(features, [len(texts) for texts in wordings])
    return [ClassTexts(part, normalize(part[: len(PROMPTS)].mean(dim=0), dim=-1)) for part in parts]
