"""The documents at the beginning and at the end of a backup."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.moving.errors import BackupError
from service.moving.schema import Kind, Schema

FORMAT: Literal["handful-backup"] = "handful-backup"
VERSION: Literal[1] = 1
HEADER, MANIFEST = "handful-backup.json", "manifest.json"
MOST_DOCUMENT_BYTES = 2**20
"""Of each of them; they have a line a table."""

_Count = Annotated[int, Field(ge=0, le=2**62)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TableColumns(_Document):
    """A table and the kinds of its columns, in their order."""

    name: str
    columns: dict[str, Kind]


class Header(_Document):
    """``handful-backup.json``, the first member: what the others are of.

    ``last_ids`` are of tables that give no id twice; ``database`` is what it was made of;
    ``refers_to`` are places outside it that have bytes of images, which are not in the backup.
    """

    format: Literal["handful-backup"] = FORMAT
    version: Literal[1] = VERSION
    handful: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+_-]{1,40}$")]
    revision: Annotated[str, Field(pattern="^[0-9a-zA-Z_]{1,32}$")]
    created_at: datetime
    database: Literal["sqlite", "postgresql"]
    tables: tuple[TableColumns, ...]
    last_ids: dict[str, _Count]
    refers_to: tuple[str, ...]

    def check(self, schema: Schema) -> None:
        """See that it has the tables of its revision.

        Raises:
            BackupError: It has others.
        """
        own = columns_of(schema)
        # Their order is that in which they were read; each table comes after those it refers to.
        if {one.name: one for one in self.tables} != {one.name: one for one in own} or len(
            self.tables
        ) != len(own):
            raise BackupError(f"the backup has other tables than its revision {self.revision}")


class DigestOfTable(_Document):
    """What a table holds."""

    rows: _Count
    sha256: _Digest


class Manifest(_Document):
    """``manifest.json``, the last member: what the others hold, by which they are verified."""

    header_sha256: _Digest
    tables: dict[str, DigestOfTable]


def columns_of(schema: Schema) -> tuple[TableColumns, ...]:
    """The tables of a schema as a header has them."""
    return tuple(
        TableColumns(name=one.name, columns=dict(zip(one.columns, one.kinds, strict=True)))
        for one in schema.tables
    )


def written(document: Header | Manifest) -> bytes:
    """A document as its bytes."""
    return document.model_dump_json(indent=1).encode() + b"\n"


def read_header(data: bytes) -> Header:
    """Read the first document.

    Raises:
        BackupError: It is none, or of a newer version.
    """
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(data)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BackupError("the file is no backup: its first member says nothing of the kind")
    if found.get("version") != VERSION:
        raise BackupError(
            f"the backup is of the format {str(found.get('version'))[:20]!r}, and this version of "
            f"Handful reads the format {VERSION}: use the version that wrote it "
            f"({str(found.get('handful'))[:40]!r}), or a newer one"
        )
    try:
        return Header.model_validate_json(data)
    except ValidationError as error:
        raise BackupError(f"the backup's {HEADER} is damaged: {_first(error)}") from error


def read_manifest(data: bytes, header: bytes) -> Manifest:
    """Read the last document, and compare what it says of the first.

    Raises:
        BackupError: It is damaged, or the first one is.
    """
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise BackupError(f"the backup's {MANIFEST} is damaged: {_first(error)}") from error
    if manifest.header_sha256 != hashlib.sha256(header).hexdigest():
        raise BackupError(f"the backup's {HEADER} is damaged: its digest is another")
    return manifest


def _first(error: ValidationError) -> str:
    [problem, *_] = error.errors()
    return f"{'.'.join(map(str, problem['loc']))[:100]}: {problem['msg'][:200]}"
