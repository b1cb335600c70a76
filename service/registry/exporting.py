"""A stored classifier as what its file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

import torch

from adapters.embeddings import ImageEmbeddings
from service.exchange import (
    ExportedClass,
    ExportedClassifier,
    ExportedImage,
    Source,
    TuningState,
)
from service.problems import ImageDamaged
from service.storage.fingerprints import Origin
from service.storage.reader import Reader
from service.storage.records import StoredClassifier


def exported(stored: StoredClassifier, origin: Origin) -> ExportedClassifier:
    """What a classifier's file holds of it; copies no embeddings.

    Args:
        stored: As it is in the database.
        origin: What its embeddings come from; of files their names alone go along, which tell
            nothing of this machine.
    """
    column = {record.id: place for place, record in enumerate(stored.classes)}
    label = {record.id: record.label for record in stored.classes}
    texts = [record.text for record in stored.classes if record.text is not None]
    state = stored.record.tuning_state
    meaning = stored.record.settings.names_carry_meaning
    return ExportedClassifier(
        source=Source(
            fingerprint=origin.fingerprint,
            name=origin.name,
            adapter=_file_name(origin.adapter),
            prompts=stored.record.settings.prompts or _file_name(origin.prompts),
        ),
        settings=stored.record.settings,
        tuning=stored.record.tuning,
        tuning_state=TuningState(
            is_current=state.is_current, since=state.since, images_behind=state.images_behind
        ),
        classes=[
            ExportedClass(label=record.label, created_at=record.created_at)
            for record in stored.classes
        ],
        texts=torch.stack(texts) if texts and meaning else None,
        labels=torch.tensor(
            [column[record.class_id] for record in stored.support], dtype=torch.int64
        ),
        embeddings=ImageEmbeddings(stored.embeddings.frozen, stored.embeddings.corrected),
        images=[
            ExportedImage(
                id=record.public_id,
                label=label[record.class_id],
                filename=record.filename,
                sha256=record.sha256,
                media_type=record.media_type,
                width=record.width,
                height=record.height,
                created_at=record.created_at,
            )
            for record in stored.support
        ],
    )


def contents_in_order(store: Reader, stored: StoredClassifier) -> Callable[[int], bytes | None]:
    """Gives the bytes of each distinct image once, in the order in which a file holds them.

    Some are read ahead where they are outside the database. One whose bytes are damaged is left
    out, as one that was not kept; the log says which.
    """
    first = {record.sha256: record.id for record in reversed(stored.support)}
    distinct = dict.fromkeys(record.sha256 for record in stored.support)
    found = store.contents(first[sha256] for sha256 in distinct)

    def content(_: int) -> bytes | None:
        read = next(found)
        return None if isinstance(read, ImageDamaged) else read

    return content


def _file_name(path: str | None) -> str | None:
    return None if path is None else PurePath(path).name[-255:]
