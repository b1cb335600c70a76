"""The image tower compiled by PyTorch's compiler: fewer trips to the memory of a GPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

COMPILED_FROM = 2
"""Images of a batch from which on a compiled pass is used; PyTorch compiles one image apart."""

EmbedPixels = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From (n, H, W, 3) uint8 pixels to both embeddings: a forward pass of the image tower."""


def compiled(image_pass: nn.Module, pixels: Tensor, *, cache: Path | None = None) -> EmbedPixels:
    """Compile a pass for batches of any size from :data:`COMPILED_FROM` on.

    That fuses what lies between the products of matrices: activations, norms, residuals, the
    adapter's sum. Each of these would otherwise read and write every token by itself.

    Takes up to some minutes the first time, and less where the cache holds what was generated
    then. The module itself stays as it is.

    Args:
        image_pass: On the device, in the precision to compute in.
        pixels: (n, H, W, 3) uint8 on the device: the size of batch to be quickest at. It must not
            be a view of another tensor, which would be compiled in.
        cache: Folder for generated code; PyTorch's own where None or where
            ``TORCHINDUCTOR_CACHE_DIR`` is set.

    Raises:
        Exception: Whatever compiling fails with: an operation that is not known, no C compiler, no
            Triton, a folder that cannot be written.
    """
    if cache is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache / "inductor"))
    # Only the number of images is unknown: with unknown sides, too, the compiler cannot see that
    # tokens lie in memory one after the other, and copies them before each product.
    torch._dynamo.mark_dynamic(pixels, 0)
    run: EmbedPixels = torch.compile(image_pass)
    with torch.inference_mode():
        run(pixels)
    return run
