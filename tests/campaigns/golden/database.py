"""What is in an SQLite database, without what differs by nature."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

from tests.campaigns.golden.recording import Json

_UNLIKE = ("public_id", "_at")
"""Ends of the names of columns that hold ids and times."""


def described(path: Path) -> Json:
    """Schema, and the values of each column; blobs by their digests."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        schema = database.execute(
            "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()
        tables = [name for kind, name, _ in schema if kind == "table"]
        return {
            "schema": {f"{kind} {name}": sql for kind, name, sql in schema},
            "tables": {name: _table(database, name) for name in tables},
        }


def _table(database: sqlite3.Connection, name: str) -> Json:
    found = database.execute(f'SELECT * FROM "{name}" ORDER BY 1')
    columns = [column for column, *_ in found.description]
    rows = found.fetchall()
    return {
        column: [_value(row[i]) for row in rows]
        for i, column in enumerate(columns)
        if not column.endswith(_UNLIKE)
    }


def _value(stored: Json) -> Json:
    if isinstance(stored, bytes):
        return hashlib.sha256(stored).hexdigest()
    if isinstance(stored, str) and stored[:1] == "{":  # a column of JSON, whose text has an order
        return json.loads(stored)
    return stored
