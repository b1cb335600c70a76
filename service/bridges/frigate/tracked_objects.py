"""Tracked objects: what a message of ``frigate/events`` says of one.

Written from Frigate's ``docs/integrations/mqtt.md`` and ``track/tracked_object.py``. Anybody who
may publish to the broker may have written it: all of it is checked, and nothing else is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

CAMERA = r"[A-Za-z0-9_-]{1,64}"
# Seconds of its beginning and some letters: 1607123955.475377-mxklsc. It becomes part of a path.
_ID = r"^[0-9]{1,15}(\.[0-9]{1,12})?-[A-Za-z0-9]{1,32}$"
_MOST_NAME = 200


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """An object in front of a camera, as one message describes it.

    Attributes:
        id: Of the event.
        camera: By its name.
        label: What Frigate's detector takes it for, such as ``person``.
        sub_label: That it has; None: it has none.
        picture: When its best picture so far was taken, in seconds; None where that is not said.
        is_over: Whether it is not tracked any more.
    """

    id: str
    camera: str
    label: str
    sub_label: str | None
    picture: float | None
    is_over: bool


def read_event(payload: bytes) -> TrackedObject | None:
    """The object of a message; None where Frigate takes it for a false positive.

    Raises:
        ValueError: The message is none of Frigate's.
    """
    try:
        event = _Event.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where or 'the message'}: {first['msg']}") from None
    after = event.after
    if after.false_positive:
        return None
    picture = None if after.snapshot is None else after.snapshot.frame_time
    is_over = event.type == "end"
    return TrackedObject(after.id, after.camera, after.label, after.sub_label, picture, is_over)


def _name(value: Any) -> Any:
    """Of a sub label, which is written with its score behind it: ``["Ann", 0.9]``."""
    return value[0] if isinstance(value, list) and value else value


SubLabel = Annotated[str | None, Field(max_length=_MOST_NAME), BeforeValidator(_name)]


class _Snapshot(BaseModel):
    frame_time: float | None = Field(None, allow_inf_nan=False)


class _State(BaseModel):
    id: str = Field(pattern=_ID)
    camera: str = Field(pattern=f"^{CAMERA}$")
    label: str = Field(min_length=1, max_length=_MOST_NAME)
    sub_label: SubLabel = None
    false_positive: bool = False
    snapshot: _Snapshot | None = None


class _Event(BaseModel):
    type: Literal["new", "update", "end"]
    after: _State
