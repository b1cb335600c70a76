"""Serialisation: a fitted classifier as one safetensors file, without pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.stored_tuning import TuningError, read_tuning

_FORMAT = "handful-classifier-1"
_KEY = "handful"
_TENSORS = ("frozen", "corrected", "labels")


class SavedClassifierError(ValueError):
    """A file is no saved classifier, or of another backbone; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """All that a classifier's answers depend on, but for the backbone.

    Attributes:
        backbone: Name of the one whose embeddings these are.
        fingerprint: Of that backbone.
        settings: Of the classifier.
        classes: Labels, in the order of their declaration.
        tuning: What leave-one-out has set.
        frozen: (n, d) embeddings of the support images.
        corrected: (n, d') embeddings of the support images.
        labels: (n,) int64 positions of their classes in ``classes``.
        texts: (N, d) text embeddings of the classes; None where names carry no meaning.
    """

    backbone: str
    fingerprint: str
    settings: ClassifierSettings
    classes: Sequence[str]
    tuning: Tuning
    frozen: Tensor
    corrected: Tensor
    labels: Tensor
    texts: Tensor | None


def write(path: str | os.PathLike[str], saved: Saved) -> None:
    """Write a classifier; a file that is there is replaced whole."""
    described = {
        "format": _FORMAT,
        "backbone": saved.backbone,
        "fingerprint": saved.fingerprint,
        "settings": saved.settings.model_dump(),
        "classes": list(saved.classes),
        "tuning": saved.tuning.as_dict(),
    }
    tensors = {name: getattr(saved, name).contiguous() for name in _TENSORS}
    if saved.texts is not None:
        tensors["texts"] = saved.texts.contiguous()
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    save_file(tensors, part, {_KEY: json.dumps(described)})
    part.replace(path)


def read(path: str | os.PathLike[str]) -> Saved:
    """Read what :func:`write` wrote.

    Raises:
        SavedClassifierError: It is no such file, or damaged.
        OSError: There is no file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise SavedClassifierError(f"{path} cannot be read as a classifier: {error}") from error
    if not isinstance(described, dict) or described.get("format") != _FORMAT:
        raise SavedClassifierError(f"{path} is no classifier of this version of Handful")
    try:
        settings = ClassifierSettings.model_validate(described["settings"])
        return Saved(
            backbone=described["backbone"],
            fingerprint=described["fingerprint"],
            settings=settings,
            classes=described["classes"],
            tuning=read_tuning(settings.method, described["tuning"]),
            texts=tensors.get("texts"),
            **{name: tensors[name] for name in _TENSORS},
        )
    except (KeyError, TuningError, ValidationError) as error:
        raise SavedClassifierError(f"{path} is damaged: {error}") from error
