"""Weights written as a folder of open_clip, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from adapters.backbone_errors import BackboneError
from adapters.backbones.checkpoints.recognise import recognised_folder
from adapters.backbones.checkpoints.weights import Weights


def convert(weights: Weights, out: Path) -> None:
    """Write safetensors, ``open_clip_config.json`` and, where it is not CLIP's, the tokenizer.

    What is written is loaded once before it gets its name.

    Args:
        weights: What was recognised.
        out: The folder, which is not there yet; ``local-dir:OUT`` loads it.

    Raises:
        BackboneError: The folder is there, or the weights are not those of their configuration.
        OSError: It cannot be written.
    """
    if os.path.lexists(out):
        raise BackboneError(
            f"{out} is there already, and nothing is overwritten; name another folder"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        weights.write(part)
        recognised_folder(part).encoder(f"local-dir:{out}")
        part.chmod(0o755)
        part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
