"""The files that a backbone is made of, and digests of them: what a kept model is found by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adapters.backbones.folder_files import CONFIG_NAME
from adapters.backbones.lite import ADAPTER, LITE, LITE_FOLDER, TOWER_FILES
from adapters.corrections import adapter_file

RECIPE = "handful kept 2"
"""Of the conversion itself; another one for any change of what is converted or kept."""

_PACKAGES = ("openvino", "torch", "open_clip_torch", "timm", "transformers", "tokenizers")


def request_key(name: str, adapter: str | None) -> str:
    """Hex digest of what is asked for, and of the versions of what makes it.

    Args:
        name: Of the backbone.
        adapter: As for :func:`adapters.loading.load_backbone`.
    """
    file = adapter_file(adapter)
    path = adapter if file is None else str(file.resolve())
    asked = [RECIPE, name, path, [_version(package) for package in _PACKAGES]]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]


def files_of(name: str, adapter: str | None) -> list[Path] | None:
    """All files that decide the embeddings, where that can be told without loading the model.

    Args:
        name: Of the backbone.
        adapter: As for :func:`adapters.loading.load_backbone`.

    Raises:
        WeightsUnavailable: A package is not installed.
        OSError: A folder cannot be read.
    """
    weights = _weights(name)
    if weights is None:
        return None
    own = ADAPTER if name == LITE and not adapter else adapter_file(adapter)
    return [*weights, *([] if own is None else [own])]


def digests(files: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file by its path.

    Raises:
        OSError: One cannot be read.
    """
    found = {}
    for path in files:
        with path.open("rb") as file:
            found[str(path.resolve())] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def content_key(found: Mapping[str, str]) -> str:
    """Hex digest of :func:`digests`."""
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()[:32]


def _weights(name: str) -> list[Path] | None:
    if name == LITE:
        shipped = [LITE_FOLDER / "projections.safetensors", LITE_FOLDER / "provenance.json"]
        return [*(file.locate() for file in TOWER_FILES), *shipped]
    scheme, _, rest = name.partition(":")
    if scheme == "local-dir" and rest:
        return sorted(path for path in Path(rest).iterdir() if path.is_file())
    _, _, checkpoint = name.partition("/")
    if scheme != "hf-hub" and checkpoint and Path(checkpoint).is_file():
        # What lies beside it may say how it was trained.
        beside = Path(checkpoint).parent / CONFIG_NAME
        return [Path(checkpoint), *([beside] if beside.is_file() else [])]
    return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
