"""A classifier's file, made without a service, and taken apart to be made wrong."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from service.classifier_settings import ClassifierSettings
from service.exchange import (
    ExportedClass,
    ExportedClassifier,
    ExportedImage,
    ReadLimits,
    Source,
    TuningState,
    file_pieces,
)
from tests.adapters.synthetic import TUNINGS
from tests.service.pictures import picture

LIMITS = ReadLimits(classes=100, images=100, image_bytes=100_000)
MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)
WIDTH = 32


def unit_rows(count: int, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return normalize(rows)


def made(fingerprint: str = "0" * 64, **settings: Any) -> ExportedClassifier:
    """Of two classes, with two images each; the pictures are ``picture(0)`` to ``picture(3)``."""
    contents = [picture(seed) for seed in range(4)]
    return ExportedClassifier(
        source=Source(fingerprint=fingerprint, name="elsewhere"),
        settings=ClassifierSettings(method="tip-adapter", **settings),
        tuning=TUNINGS["tip-adapter"][1],
        tuning_state=TuningState(since=MOMENT),
        classes=[ExportedClass(label=label, created_at=MOMENT) for label in ("ant", "bee")],
        texts=unit_rows(2, 9) if settings.get("names_carry_meaning", True) else None,
        labels=torch.tensor([0, 0, 1, 1]),
        embeddings=ImageEmbeddings(unit_rows(4, 1), unit_rows(4, 2)),
        images=[
            ExportedImage(
                id=f"{place:032x}",
                label="ant" if place < 2 else "bee",
                filename=f"{place}.png",
                sha256=hashlib.sha256(content).hexdigest(),
                media_type="image/png",
                width=40,
                height=40,
                created_at=MOMENT,
            )
            for place, content in enumerate(contents)
        ],
    )


def written(classifier: ExportedClassifier, *, images: bool = True) -> bytes:
    return b"".join(file_pieces(classifier, picture if images else lambda _: None))


def unpacked(file: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_json(file: bytes, member: str, line: int, **changes: Any) -> bytes:
    """The file with other values in one of its JSON documents."""
    members = unpacked(file)
    lines = members[member].splitlines() if member.endswith("l") else [members[member]]
    document = json.loads(lines[line]) | changes
    lines[line] = json.dumps(document).encode()
    members[member] = b"\n".join(lines) + b"\n"
    return packed(members)
