"""State dicts of checkpoints: found where trainings put them, their names as open_clip has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from adapters.backbone_errors import BackboneError, UnsafeWeights
from adapters.backbones.checkpoints.archive import Archive
from adapters.backbones.checkpoints.legacy_file import MAGIC, LegacyFile
from adapters.backbones.checkpoints.script_objects import activation_of, tensors_of
from adapters.backbones.checkpoints.stored_tensor import StoredTensor

_MOST_HEADER_BYTES = 16 * 2**20
_Each = TypeVar("_Each")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file's tensors.

    Attributes:
        path: Of the file.
        state: Tensors by their names, without what data-parallel training puts before them.
        scripted: Whether it is a TorchScript archive.
        quick_gelu: Whether its transformers compute QuickGELU, where the file tells.
    """

    path: Path
    state: dict[str, Tensor]
    scripted: bool = False
    quick_gelu: bool | None = None


class _Container(Protocol):
    value: Any
    scripted: bool

    def tensors(self, described: Iterable[tuple[str, StoredTensor]]) -> dict[str, Tensor]: ...


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint file of any kind: safetensors, ``torch.save``, TorchScript.

    What it is is told by its content, not by its name.

    Raises:
        UnsafeWeights: It is a pickle of more than tensors.
        BackboneError: It is damaged, or no checkpoint.
        OSError: It cannot be read.
    """
    try:
        return _read(path)
    except UnsafeWeights as error:
        raise UnsafeWeights(
            f"{path} cannot be read without executing code ({error}); on a machine that trusts it, "
            "save its state dict with safetensors.torch.save_file and use that file"
        ) from error
    except BackboneError as error:
        raise BackboneError(f"{path} cannot be read: {error}") from error


def _read(path: Path) -> Checkpoint:
    if not path.is_file():
        raise BackboneError("it is no file")
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK\x03\x04"):
        return _unpickled(path, Archive(path))
    if head.startswith(MAGIC):
        return _unpickled(path, LegacyFile(path))
    if head[8:9] == b"{":
        return Checkpoint(path, _unwrapped(_safetensors(path, int.from_bytes(head[:8], "little"))))
    if head.startswith(b"version https://git-lfs"):
        raise BackboneError("it is a pointer of Git LFS; fetch the file itself with git lfs pull")
    if head.startswith(b"\x80"):
        raise UnsafeWeights("a pickle that PyTorch has not written")
    raise BackboneError("it is neither safetensors nor of PyTorch, or its begin is missing")


def _safetensors(path: Path, header: int) -> dict[str, Tensor]:
    if header > min(_MOST_HEADER_BYTES, path.stat().st_size):
        raise BackboneError("its header is longer than that of any model")
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BackboneError(f"it is damaged or cut off: {error}") from error


def _unpickled(path: Path, container: _Container) -> Checkpoint:
    if container.scripted:
        described = tensors_of(container.value)
        quick_gelu = activation_of(container.value)
    else:
        described, quick_gelu = _tensors(container.value), None
    described = _unwrapped(described)
    size = path.stat().st_size
    if sum(_bytes(tensor) for tensor in described.values()) > size:
        raise BackboneError("it describes more numbers than it has")
    state = container.tensors(described.items())
    return Checkpoint(path, state, container.scripted, quick_gelu)


def _tensors(value: Any) -> dict[str, StoredTensor]:
    """The state dict that a checkpoint is, or has."""
    if isinstance(value, dict) and isinstance(value.get("state_dict"), dict):
        value = value["state_dict"]
    if not isinstance(value, dict):
        raise BackboneError("it is no state dict")
    return {
        name: each
        for name, each in value.items()
        if isinstance(each, StoredTensor) and isinstance(name, str)
    }


def _unwrapped(state: Mapping[str, _Each]) -> dict[str, _Each]:
    """Names without ``module.``, which PyTorch's data-parallel training puts before all of them."""
    if not state:
        raise BackboneError("there are no tensors in it")
    prefix = "module."
    if all(name.startswith(prefix) for name in state):
        return {name.removeprefix(prefix): each for name, each in state.items()}
    return dict(state)


def _bytes(tensor: StoredTensor) -> int:
    numel = 1
    for n in tensor.shape:
        numel *= n
    return numel * tensor.storage.dtype.itemsize
