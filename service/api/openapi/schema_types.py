"""JSON Schema of names, labels and ids, for the OpenAPI document.

The routes check names themselves (``service/name_validation.py``), because they can say what
is wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from service.name_validation import CLASSIFIER

NAME_SCHEMA: dict[str, Any] = {
    "minLength": 1,
    "maxLength": 64,
    "pattern": f"^{CLASSIFIER}$",
}
# The format stands for what no pattern says in all languages: every character can be seen.
LABEL_SCHEMA: dict[str, Any] = {
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"^(?!\.{1,2}$)[^/\\\u0000-\u001f\u007f-\u009f]+$",
    "format": "label",
}
IMAGE_ID_SCHEMA: dict[str, Any] = {"minLength": 32, "maxLength": 32, "pattern": "^[0-9a-f]{32}$"}
KEY_ID_SCHEMA: dict[str, Any] = {"minLength": 16, "maxLength": 16, "pattern": "^[0-9a-f]{16}$"}
# Entity tags (RFC 9110, 8.8.3) as a list, or `*`; what is in a header field is never null.
ETAG_PATTERN = r'^(W/)?"[!#-~]*"$'
TAGS_SCHEMA: dict[str, Any] = {
    "type": "string",
    "format": "entity-tags",
    "examples": ['"64f0c9a1.12"', "*"],
}
IDEMPOTENCY_KEY_SCHEMA: dict[str, Any] = {"type": "string", "format": "idempotency-key"}
METADATA_KEY = r"[A-Za-z0-9._-]{1,64}"
# Text that any database keeps: PostgreSQL has none with NUL.
TEXT_PATTERN = r"^[^\x00]*$"
METADATA_PATTERN = rf"^{METADATA_KEY}=[^\x00]*$"
_SHA256_SCHEMA: dict[str, Any] = {"minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$"}


def _written(value: object) -> object:
    if isinstance(value, int | float) or (isinstance(value, str) and "-" not in value[1:]):
        raise ValueError("write a time as 2026-11-02T08:31:00Z")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("write a time of the years 1 to 9999, in UTC") from None


PointInTime = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_utc)]
"""A time as RFC 3339 has it, in UTC; not a number of seconds, which pydantic would take."""
ClassifierName = Annotated[str, Field(json_schema_extra=NAME_SCHEMA)]
ClassLabel = Annotated[str, Field(json_schema_extra=LABEL_SCHEMA)]
ImageIdentifier = Annotated[str, Field(json_schema_extra=IMAGE_ID_SCHEMA)]
Sha256 = Annotated[str, Field(json_schema_extra=_SHA256_SCHEMA)]
