"""The tensors of a classifier's file, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from service.exchange.lines import EMBEDDINGS
from service.problems import InvalidUpload

# How far the norm of a unit vector of float32 may be off.
_UNIT = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTensors:
    """The numbers of a classifier's file, as :class:`ExportedClassifier` has them."""

    embeddings: ImageEmbeddings
    labels: Tensor
    texts: Tensor | None


def checked_tensors(
    tensors: Mapping[str, Tensor], n_images: int, n_classes: int, *, with_texts: bool
) -> FileTensors:
    """Check them, by passes over them.

    Args:
        tensors: Of the member.
        n_images: How many rows there should be.
        n_classes: How many texts, and what labels are below.
        with_texts: Whether there should be texts.

    Raises:
        InvalidUpload: They are not as they should be; says how.
    """
    expected = {"frozen", "corrected", "labels"} | ({"texts"} if with_texts else set())
    if set(tensors) != expected:
        raise unusable(
            f"it has the tensors {', '.join(sorted(tensors))[:200]}, and should have "
            f"{', '.join(sorted(expected))}"
        )
    labels = tensors["labels"]
    if labels.dtype != torch.int64 or tuple(labels.shape) != (n_images,):
        raise unusable(f"labels are {_described(labels)}, and should be {n_images} of int64")
    if n_images and not (int(labels.min()) >= 0 and int(labels.max()) < n_classes):
        raise unusable(f"a label is of none of the {n_classes} classes")
    frozen = _unit_rows(tensors["frozen"], n_images, "frozen")
    corrected = _unit_rows(tensors["corrected"], n_images, "corrected")
    texts = _unit_rows(tensors["texts"], n_classes, "texts") if with_texts else None
    if texts is not None and n_images and texts.shape[1] != frozen.shape[1]:
        raise unusable(f"texts have {texts.shape[1]} numbers, frozen has {frozen.shape[1]}")
    return FileTensors(embeddings=ImageEmbeddings(frozen, corrected), labels=labels, texts=texts)


def _unit_rows(rows: Tensor, count: int, name: str) -> Tensor:
    if rows.dtype != torch.float32 or rows.ndim != 2 or rows.shape[0] != count:
        raise unusable(f"{name} is {_described(rows)}, and should be {count} rows of float32")
    norms = rows.norm(dim=1)
    # NaN and infinity are no norm of about one either.
    if not bool(((norms - 1).abs() < _UNIT).all()):
        raise unusable(f"{name} has rows that are no unit vectors")
    return rows


def _described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"


def unusable(why: str) -> InvalidUpload:
    """The refusal of the member."""
    return InvalidUpload(
        f"{EMBEDDINGS} of the classifier's file cannot be used: {why}. Export the classifier again."
    )
