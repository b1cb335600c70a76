"""Between rows of the tables and the plain values that storage hands out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.heads import HEADS, Tuning
from service.classifier_settings import ClassifierSettings
from service.storage.errors import Damaged
from service.storage.records import ClassifierRecord, TuningState
from service.storage.tables import Unreadable, is_as_written
from service.stored_tuning import TuningError, no_head, read_tuning

# Images that a message names.
_NAMED = 3


def classifier_record(
    row: Any, n_classes: int, n_images: int, backbone: str = ""
) -> ClassifierRecord:
    """A row with the columns of :class:`ClassifierRow` as a plain value.

    Raises:
        Damaged: Something in it is not what any version of Handful writes.
    """
    for name in ("created_at", "updated_at"):
        if not isinstance(getattr(row, name), datetime):
            raise Damaged(f"its column {name} holds no time")
    return ClassifierRecord(
        id=row.id,
        name=row.name,
        settings=_settings(row),
        tuning=stored_tuning(row),
        tuning_state=_tuning_state(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        n_classes=n_classes,
        n_images=n_images,
        revision=row.revision,
        content_revision=row.content_revision,
        fingerprint=row.fingerprint,
        backbone=backbone,
        annotations=row.annotations if isinstance(row.annotations, dict) else None,
    )


def damaged_record(
    row: Any, n_classes: int, n_images: int, backbone: str, problem: str
) -> ClassifierRecord:
    """What can be told of a row that :func:`classifier_record` does not take."""
    times = [t for t in (row.created_at, row.updated_at) if isinstance(t, datetime)]
    updated_at = times[-1] if times else datetime.min
    return ClassifierRecord(
        id=row.id,
        name=row.name,
        settings=ClassifierSettings.model_construct(method=str(row.method)),
        tuning=Tuning(),
        tuning_state=TuningState(is_current=True, since=updated_at),
        created_at=times[0] if times else datetime.min,
        updated_at=updated_at,
        n_classes=n_classes,
        n_images=n_images,
        revision=row.revision,
        backbone=backbone,
        problem=problem,
    )


def embedding_rows(blobs: list[bytes], what: str = "an embedding") -> Tensor:
    """Stack stored embeddings as (n, d) float32.

    Raises:
        Damaged: They are not of one length, or not of finite numbers.
    """
    if not blobs:
        return torch.empty(0, 0)
    size = len(blobs[0])
    if size == 0 or size % 4 or any(len(blob) != size for blob in blobs):
        raise Damaged(f"{what} is cut short or too long")
    joined = np.frombuffer(bytearray().join(blobs), dtype="<f4")
    if not np.isfinite(joined).all():
        raise Damaged(f"{what} holds what is no number")
    return torch.from_numpy(joined.reshape(len(blobs), -1))


def image_embeddings(rows: Sequence[Any], whose: Callable[[int], str]) -> ImageEmbeddings:
    """Stack both stored embeddings of rows that have them, compared with their checksums.

    Args:
        rows: With the columns ``frozen``, ``corrected`` and ``checksum``.
        whose: What the row at a place is of, for a message.

    Raises:
        Damaged: They are others than were written, not of one length, or not of finite numbers.
    """
    other = [
        place
        for place, row in enumerate(rows)
        if not is_as_written(row.checksum, row.frozen, row.corrected)
    ]
    if other:
        raise Damaged(
            f"the stored embeddings of {', '.join(map(whose, other[:_NAMED]))}"
            f"{f' and {len(other) - _NAMED} more' * (len(other) > _NAMED)} are not those that were"
            " written (their checksum differs)"
        )
    return ImageEmbeddings(
        embedding_rows([row.frozen for row in rows], "an image's embedding"),
        embedding_rows([row.corrected for row in rows], "an image's corrected embedding"),
    )


def blob(row: Tensor | None) -> Any:
    """An embedding as stored: little-endian float32."""
    return None if row is None else row.numpy().astype("<f4").tobytes()


def settings_columns(settings: ClassifierSettings) -> dict[str, Any]:
    """Settings as columns of a classifier, each field in the column of its name."""
    return settings.model_dump()


def tuning_columns(tuning: Tuning, fingerprint: str) -> dict[str, Any]:
    """A tuning of the support set as it is, as columns of a classifier.

    Args:
        tuning: From now on.
        fingerprint: Of the backbone that it is of.
    """
    return {
        "tuning": tuning.as_dict(),
        "fingerprint": fingerprint,
        "tuning_is_current": True,
        "tuning_since": datetime.now(UTC),
        "images_behind": 0,
    }


def stored_tuning(row: Any) -> Tuning:
    """The tuning of a row with the columns of :class:`ClassifierRow`.

    Raises:
        Damaged: It cannot be read.
    """
    try:
        return read_tuning(row.method, row.tuning)
    except TuningError as error:
        raise Damaged(str(error)) from error


def _tuning_state(row: Any) -> TuningState:
    since = row.updated_at if row.tuning_since is None else row.tuning_since
    if not isinstance(since, datetime):
        raise Damaged("its column tuning_since holds no time")
    if not isinstance(row.images_behind, int):
        raise Damaged("its column images_behind holds no number")
    return TuningState(
        is_current=row.tuning_is_current, since=since, images_behind=row.images_behind
    )


def _settings(row: Any) -> ClassifierSettings:
    """Settings as they are stored: bounds may have been others when they came."""
    if row.method not in HEADS:
        raise Damaged(no_head(row.method))
    values = {name: getattr(row, name) for name in ClassifierSettings.model_fields}
    for name, value in values.items():
        if isinstance(value, Unreadable):
            raise Damaged(f"its {name} cannot be read")
    return ClassifierSettings.model_construct(**values)
