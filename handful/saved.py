"""Serialisation: a fitted classifier as one file, without pickle.

The file is the one that the service exports and imports (``service/exchange/``). Versions of
Handful up to 0.2 wrote one of their own, which is still read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from fastapi_problem.error import StatusProblem
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from adapters.embeddings import ImageEmbeddings
from adapters.whole_files import written_whole
from service.classifier_settings import ClassifierSettings
from service.exchange import (
    MOST_IMAGES,
    ExportedClass,
    ExportedClassifier,
    ReadLimits,
    Source,
    TuningState,
    read_classifier,
    write_file,
)
from service.exchange.writing import no_content
from service.settings import Settings
from service.stored_tuning import TuningError, read_tuning

_OLD_FORMAT = "handful-classifier-1"
_KEY = "handful"
_ZIP = b"PK"
# What a service takes by default, but for the number of images.
_LIMITS = ReadLimits(
    classes=Settings.model_fields["max_classes"].default,
    images=MOST_IMAGES,
    image_bytes=Settings.model_fields["max_image_bytes"].default,
)


class SavedClassifierError(ValueError):
    """A file is no saved classifier, or of another backbone; the message says which."""


def write(path: str | os.PathLike[str] | BinaryIO, saved: ExportedClassifier) -> None:
    """Write a classifier, to an open file or to a path; what is there is replaced whole."""
    if not isinstance(path, str | os.PathLike):
        write_file(path, saved, no_content)
        return
    with written_whole(Path(path)) as part, part.open("wb") as file:
        write_file(file, saved, no_content)


def read(path: str | os.PathLike[str] | BinaryIO) -> ExportedClassifier:
    """Read what :func:`write` wrote, what a service exported, or what an older version wrote.

    Args:
        path: Of the file; or an open one that can seek, of this version.

    Raises:
        SavedClassifierError: It is no such file, or damaged.
        OSError: There is no file.
    """
    if not isinstance(path, str | os.PathLike):
        return _read_zip(path, "the file")
    with Path(path).open("rb") as file:
        if file.read(len(_ZIP)) == _ZIP:
            return _read_zip(file, os.fspath(path))
    return _read_old(path)


def _read_zip(file: BinaryIO, what: str) -> ExportedClassifier:
    try:
        return read_classifier(file, _LIMITS).classifier
    except StatusProblem as problem:
        raise SavedClassifierError(
            f"{what} cannot be read as a classifier: {problem.detail}"
        ) from problem


def _read_old(path: str | os.PathLike[str]) -> ExportedClassifier:
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise SavedClassifierError(f"{path} cannot be read as a classifier: {error}") from error
    if not isinstance(described, dict) or described.get("format") != _OLD_FORMAT:
        raise SavedClassifierError(f"{path} is no classifier of this version of Handful")
    try:
        settings = ClassifierSettings.model_validate(described["settings"])
        return ExportedClassifier(
            source=Source(fingerprint=described["fingerprint"], name=described["backbone"]),
            settings=settings,
            tuning=read_tuning(settings.method, described["tuning"]),
            tuning_state=TuningState(),
            classes=[ExportedClass(label=label) for label in described["classes"]],
            texts=tensors.get("texts"),
            labels=tensors["labels"],
            embeddings=ImageEmbeddings(tensors["frozen"], tensors["corrected"]),
            images=None,
        )
    except (KeyError, TuningError, ValidationError) as error:
        raise SavedClassifierError(f"{path} is damaged: {error}") from error
