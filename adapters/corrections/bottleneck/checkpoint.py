"""A trained adapter as one safetensors file: parameters, settings, what it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from adapters.backbone_errors import BackboneError
from adapters.corrections.bottleneck.config import BottleneckConfig
from adapters.corrections.bottleneck.model import BottleneckAdapter, attach
from adapters.fingerprint import fingerprint as fingerprint_of
from adapters.whole_files import written_whole

_FORMAT = "handful-bottleneck-1"
_KEY = "handful"


class AdapterError(BackboneError):
    """An adapter cannot be read, or not be used with this backbone; the message says why."""


def tower_fingerprint(visual: nn.Module) -> str:
    """SHA-256 of the parameters and buffers of an image tower; an attached adapter is not in it."""
    return fingerprint_of(visual)


def save_adapter(
    path: Path,
    adapter: BottleneckAdapter,
    *,
    backbone: str,
    fingerprint: str,
    made: Mapping[str, Any],
) -> None:
    """Write an adapter; a file that is there is replaced whole.

    Args:
        path: Of the file.
        adapter: What was trained.
        backbone: Name of the backbone that it was trained on, for error messages.
        fingerprint: `tower_fingerprint` of its image tower.
        made: Record of the training, as JSON can hold it.
    """
    described = {
        "format": _FORMAT,
        "config": json.dumps(adapter.config.as_dict()),
        "places": json.dumps(adapter.names),
        "backbone": backbone,
        "fingerprint": fingerprint,
        "training": json.dumps(made),
    }
    state = {
        name: value.detach().float().cpu().contiguous()
        for name, value in adapter.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        # One key: safetensors writes several in an order that changes from process to process.
        save_file(state, part, {_KEY: json.dumps(described, sort_keys=True)})


def load_adapter(path: Path, visual: nn.Module, backbone: str) -> BottleneckAdapter:
    """Attach a trained adapter to the image tower that it was trained on.

    Args:
        path: What `save_adapter` wrote.
        visual: The image tower.
        backbone: The tower's name, for error messages.

    Raises:
        AdapterError: The file is missing, damaged or no adapter, or belongs to another tower.
    """
    metadata, state = _read(path)
    if metadata["fingerprint"] != tower_fingerprint(visual):
        raise AdapterError(
            f"{path} was trained on {metadata['backbone']}, whose image tower differs from that "
            f"of {backbone}; serve that backbone, or train an adapter for this one with: "
            f"handful train imo --backbone {backbone}"
        )
    try:
        adapter = attach(visual, BottleneckConfig.from_dict(json.loads(metadata["config"])))
    except ValueError as error:
        raise AdapterError(f"{path} has settings that do not fit: {error}") from error
    try:
        adapter.load_state_dict(state)
    except RuntimeError as error:
        adapter.detach()
        raise AdapterError(f"{path} does not fit {backbone}: {error}") from error
    return adapter


def training_record(path: Path) -> dict[str, Any]:
    """Return how an adapter was made.

    Raises:
        AdapterError: The file is missing, damaged or no adapter.
    """
    made: dict[str, Any] = json.loads(_read(path)[0]["training"])
    return made


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = _described(file.metadata() or {})
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise AdapterError(
            f"there is no adapter {path}; name a file that handful train imo made, isoclip for the"
            " correction that needs no training, or none"
        ) from error
    except (OSError, SafetensorError) as error:
        raise AdapterError(f"{path} cannot be read as an adapter: {error}") from error
    fields = ("config", "places", "backbone", "fingerprint", "training")
    if metadata.get("format") != _FORMAT or any(name not in metadata for name in fields):
        raise AdapterError(f"{path} is no adapter of this version of Handful ({_FORMAT})")
    return metadata, state


def _described(metadata: Mapping[str, str]) -> dict[str, str]:
    try:
        found = json.loads(metadata.get(_KEY, "{}"))
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
