"""The keys of a stored classifier as a FAISS index, with what each of them is of."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from adapters.cache.faiss_file import write_index
from adapters.embeddings import View
from adapters.heads import HEADS
from service.storage.fingerprints import Origin
from service.storage.records import StoredClassifier


def write_index_files(stored: StoredClassifier, origin: Origin, index: Path, labels: Path) -> None:
    """Write an ``IndexFlatIP`` under an id map, and the labels of its ids beside it.

    Keys are the embeddings by which the classifier's head compares images with images. For other
    programs: neither file is read again.

    Args:
        stored: As it is in the database.
        origin: What its embeddings come from.
        index: For ``faiss.read_index``.
        labels: JSON: the embedding that the keys are, and of each id its class and its image.

    Raises:
        OSError: They cannot be written.
    """
    view = _view(stored)
    keys = getattr(stored.embeddings, view)
    ids = torch.tensor([record.id for record in stored.support], dtype=torch.int64)
    write_index(index, ids, keys)
    label = {record.id: record.label for record in stored.classes}
    described = {
        "classifier": stored.record.name,
        "backbone": {"name": origin.name, "fingerprint": origin.fingerprint},
        "embedding": view,
        "width": keys.shape[1],
        "images": [
            {
                "id": record.id,
                "label": label[record.class_id],
                "image_id": record.public_id,
                "filename": record.filename,
                "sha256": record.sha256,
            }
            for record in stored.support
        ],
    }
    labels.write_text(json.dumps(described, ensure_ascii=False), "utf-8")


def _view(stored: StoredClassifier) -> View:
    """The embedding of the head in use; of one that looks at no images, the corrected one."""
    head = HEADS[stored.record.tuning.head or stored.record.settings.method]
    view: View = getattr(head, "view", "corrected")
    return view
