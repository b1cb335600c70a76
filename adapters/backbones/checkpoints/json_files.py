"""JSON files of a model folder, read within limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.backbone_errors import BackboneError, WeightsUnavailable

_MOST_BYTES = 4 * 2**20
"""Of a configuration, or an index of shards; both have some hundred KB at most."""
_LARGEST = 2**20
"""Of a number in a configuration: more than any vocabulary has words."""


def read_json(path: Path) -> dict[str, Any]:
    """Read an object.

    Raises:
        WeightsUnavailable: There is no such file.
        BackboneError: It is no JSON, no object, or larger than a configuration is.
        OSError: It cannot be read.
    """
    if not path.is_file():
        raise WeightsUnavailable(f"there is no file {path}")
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise BackboneError(f"{path} is larger than a configuration is")
    try:
        found = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BackboneError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BackboneError(f"{path} holds no JSON object")
    return found


def _no_number(written: str) -> float:
    raise ValueError(f"{written} is no number")


def check_sizes(model_cfg: Any, tensors: int) -> None:
    """A configuration of open_clip asks for nothing that its weights could not fill.

    Whoever builds a model of it would take memory and time by these numbers.

    Args:
        model_cfg: The configuration.
        tensors: How many tensors the weights have.

    Raises:
        BackboneError: It does.
    """
    waiting = [("", model_cfg)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(key), each) for key, each in value.items()]
        elif isinstance(value, list):
            waiting += [(name, each) for each in value]
        elif isinstance(value, int | float) and abs(value) > _LARGEST:
            raise BackboneError(f"the configuration says {value} for {name}, larger than any model")
        elif name == "layers" and isinstance(value, int) and value > tensors:
            raise BackboneError(
                f"the configuration has {value} layers, and there are no weights for them"
            )
