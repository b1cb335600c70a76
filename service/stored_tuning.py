"""Deserialisation of a tuning, which databases and saved classifiers hold as the same JSON."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adapters.heads import HEADS, Parameters, Tuning, parameters_of
from adapters.multi_label.head import NAME, MultiLabelParameters

_TUNING = TypeAdapter(Tuning)
_PARAMETERS = TypeAdapter(dict[str, float])
_FIELDS = {field.name for field in fields(Tuning)}


class TuningError(ValueError):
    """Something is not what any version of Handful writes of a tuning; the message says what."""


def read_tuning(method: str, stored: Any) -> Tuning:
    """The reverse of :meth:`adapters.heads.Tuning.as_dict`.

    Args:
        method: The classifier's, whose hyperparameters they are where the tuning names no head.
        stored: What JSON holds.

    Raises:
        TuningError: It is no tuning.
    """
    if not isinstance(stored, dict):
        raise TuningError("its tuning is no JSON object")
    if unknown := set(stored) - _FIELDS:
        raise TuningError(
            f"its tuning has members that are not known: {', '.join(sorted(unknown))}"
        )
    try:
        values = _PARAMETERS.validate_python(stored.get("parameters", {}))
        tuning = _TUNING.validate_python({**stored, "parameters": {}})
    except ValidationError as error:
        raise TuningError(f"its tuning cannot be read: {error.errors()[0]['msg']}") from error
    head = tuning.head or method
    if head == NAME:
        return replace(tuning, parameters=_of_several_labels(values))
    if head not in HEADS:
        raise TuningError(no_head(head))
    return replace(tuning, parameters=parameters_of(head, values))


def check_numbers(tuning: Tuning) -> None:
    """See that a tuning of strangers has only numbers that a tuning can have.

    Raises:
        TuningError: It has others.
    """
    perhaps = (
        tuning.accuracy,
        tuning.loss,
        tuning.rejection_threshold,
        tuning.conformal_threshold,
        tuning.negatives_weight,
        tuning.negatives_centre,
    )
    numbers = [*tuning.parameters.as_dict().values(), tuning.temperature]
    numbers += [number for number in perhaps if number is not None]
    if not all(map(math.isfinite, numbers)) or tuning.temperature <= 0 or tuning.votes < 0:
        raise TuningError("its tuning has numbers that no tuning can have")


def _of_several_labels(values: dict[str, float]) -> Parameters:
    """As :func:`adapters.heads.parameters_of`, for the head of several labels an image."""
    try:
        return MultiLabelParameters.of(values)
    except TypeError:
        return Parameters()


def no_head(name: str) -> str:
    """What is wrong where a head of another version is named."""
    return f"this version of Handful has no head {name!r}"
