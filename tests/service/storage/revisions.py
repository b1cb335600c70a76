"""A database as a version of Handful left it: its tables at a revision, with a row in each.

Rows are written without the code of today. Columns that decide whether a classifier can be read
have values as they were written then; all others, and tables that come later, have hard ones of
their type.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import numpy as np
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, MetaData, Table, create_engine, insert, select
from sqlalchemy import types as sql

import service.storage.migrations

_MIGRATIONS = str(Path(service.storage.migrations.__path__[0]))
#: From the first to the newest.
REVISIONS = [
    script.revision for script in reversed(list(ScriptDirectory(_MIGRATIONS).walk_revisions()))
]
WIDTH = 32
LABELS = ("ant", "𝔅ee 'n' \"wasp\" \\ %s; DROP TABLE images;-- " + "ß" * 200)
_MOMENT = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
_TEXT = "ß'\"%s\\\n😀\u202e"
_JSON = {"é\"'": ["\u2028", 1e308, -0.1, None, True, {"😀": []}], "": 2**53}

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def embedding(seed: int) -> bytes:
    """A unit row, as it is stored: little-endian float32."""
    row = np.random.default_rng(seed).normal(size=WIDTH).astype("<f4")
    return (row / np.linalg.norm(row)).astype("<f4").tobytes()


def written(fingerprint: str) -> Mapping[str, list[Row]]:
    """Rows of tables by name; of columns only those that make sense to the service."""
    digests = [hashlib.sha256(bytes([i])).hexdigest() for i in range(4)]
    embedded = {"fingerprint": fingerprint}
    return {
        "backbones": [
            {"fingerprint": fingerprint, "name": "lite", "adapter": None, "prompts": None},
            {"fingerprint": "e" * 64, "name": "ViT-B-32 😀"},
        ],
        "classifiers": [
            {
                "id": 7,
                "name": "insects",
                "method": "tip-adapter",
                "templates": ["a photo of {}, or 'so' 😀", "{}"],
                "names_carry_meaning": True,
                "tuning": {"head": "tip-adapter", "parameters": {"alpha": 1.5, "beta": 4.5}},
                "tenant": "",
                "support_views": 1,
                "false_rejection_rate": 0.125,
                "coverage": 0.75,
                "annotations": {"notes": _TEXT, "metadata": {"é": "ü"}},
                "remember": "all",
                "remember_most": 17,
                "remember_days": 0.5,
                "revision": 41,
                "content_revision": 40,
                "tuning_is_current": True,
                "images_behind": 0,
                **embedded,
            }
        ],
        "classes": [
            {"id": 20 + i, "classifier_id": 7, "label": label, "text_embedding": embedding(90 + i)}
            | {"annotations": None, "since_revision": 3, "checksum": zlib.crc32(embedding(90 + i))}
            for i, label in enumerate(LABELS)
        ],
        "images": [
            {
                "id": 30 + i,
                "sha256": digest,
                "content_key": digest,
                "media_type": ["image/mpo", "image/png"][i % 2],
                "width": 4,
                "height": 2**31 - 1 if i == 1 else 3,
                "frozen": embedding(i),
                "corrected": embedding(10 + i),
                "checksum": zlib.crc32(embedding(i) + embedding(10 + i)),
                **embedded,
            }
            for i, digest in enumerate(digests)
        ],
        "image_contents": [{"image_id": 30, "content": bytes(range(256)) * 40}]
        + [{"image_id": 31 + i, "content": bytes([0, 255, i])} for i in range(3)],
        "support": [
            {
                "id": 50 + i,
                "public_id": f"{i:032x}",
                "class_id": 20 + i // 2,
                "image_id": 30 + i,
                "filename": _TEXT.replace("\n", "") + f"{i}.jpg",
                "annotations": None,
                "since_revision": 3,
            }
            for i in range(4)
        ],
        "access_version": [],  # has its row from the beginning
    }


def make_at(url: str, revision: str, fingerprint: str) -> Rows:
    """Make an empty database one of a revision, with rows in each table; returns all of them."""
    engine = create_engine(url)
    try:
        upgrade(engine, revision)
        tables = tables_of(engine)
        known = written(fingerprint)
        with engine.begin() as connection:
            for table in tables:
                for i, values in enumerate(known.get(table.name, [{}])):
                    foreign = {
                        column.name: connection.scalar(select(key.column).limit(1))
                        for column in table.columns
                        for key in column.foreign_keys
                    }
                    row = {
                        column.name: _hard(column, i, engine.dialect.name)
                        for column in table.columns
                    }
                    given = {name: it for name, it in values.items() if name in table.columns}
                    connection.execute(insert(table).values({**row, **foreign, **given}))
        return rows_of(engine, tables)
    finally:
        engine.dispose()


def upgrade(engine: Engine, revision: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", _MIGRATIONS)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)


def tables_of(engine: Engine) -> list[Table]:
    """All but Alembic's own, as the database has them, those first that others refer to."""
    found = MetaData()
    found.reflect(engine)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def rows_of(engine: Engine, tables: list[Table]) -> Rows:
    """All rows of tables, in the order of their keys."""
    with engine.connect() as connection:
        return {
            table.name: [
                dict(row._mapping)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in tables
        }


def _hard(column: Column[Any], i: int, dialect: str) -> Any:
    kind = column.type
    if isinstance(kind, sql.JSON):
        return _JSON
    if isinstance(kind, sql.String):
        length = kind.length or 1000
        return (f"{i}{_TEXT}" * length)[:length]
    if isinstance(kind, sql.LargeBinary):
        return bytes(range(256))
    if isinstance(kind, sql.Boolean):
        return i % 2 == 0
    if isinstance(kind, sql.BigInteger):
        return 2**63 - 1 - i
    if isinstance(kind, sql.Integer):
        return 2**31 - 1 - i
    if isinstance(kind, sql.Numeric | sql.Float):
        return 5e-324
    if isinstance(kind, sql.DateTime):
        return _MOMENT if dialect == "postgresql" else _MOMENT.replace(tzinfo=None)
    raise TypeError(f"no hard value of {column}, {kind!r}")
