"""torchvision's decoder of WebP, without what else torchvision imports."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

DecodeWebp = Callable[[Tensor], Tensor]
"""From the (n,) uint8 bytes of a file to (channels, H, W) uint8.

Raises:
    RuntimeError: They are damaged.
"""

_UNCHANGED = 0  # as many channels as the file has


@cache
def webp_decoder() -> DecodeWebp | None:
    """Load it; None where this torchvision has none (it is deprecated since 0.29).

    The package itself takes a second or two to import, with PyTorch's compiler. Of its files only
    the library of codecs is loaded.
    """
    spec = find_spec("torchvision")
    folders = [] if spec is None else spec.submodule_search_locations or []
    for library in [path for folder in folders for path in Path(folder).glob("image*.so")]:
        try:
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
            decode = torch.ops.image.decode_webp
        except (OSError, AttributeError):
            continue

        def decoded(content: Tensor, decode: Callable[..., Tensor] = decode) -> Tensor:
            return decode(content, _UNCHANGED)

        return decoded
    return None
