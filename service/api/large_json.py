"""Large JSON responses, serialised in a thread, off the event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TypeVar

import anyio.to_thread
from fastapi import Response
from pydantic import BaseModel
from pydantic_core import to_json

T = TypeVar("T")

# Rows up to which an answer is written on the loop, in about two milliseconds.
FEW = 300
# Rows that are written in one call, during which no other thread of Python runs.
_BLOCK = 100


async def large_json(
    fields: Mapping[str, object], name: str, rows: Iterable[T], make: Callable[[T], BaseModel]
) -> Response:
    """An object with some fields, the last of which is a long list.

    Args:
        fields: The others.
        name: Of the list.
        rows: What it is made of.
        make: Makes one item; runs in a thread.
    """
    content = await anyio.to_thread.run_sync(_written, fields, name, rows, make)
    return Response(content, media_type="application/json")


def _written(
    fields: Mapping[str, object], name: str, rows: Iterable[T], make: Callable[[T], BaseModel]
) -> bytes:
    head = to_json({**fields, name: []})
    left, blocks = iter(rows), []
    while block := [make(row) for row in islice(left, _BLOCK)]:
        blocks.append(to_json(block, inf_nan_mode="null")[1:-1])
    return head[:-2] + b",".join(blocks) + head[-2:]
