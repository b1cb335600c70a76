"""`lite`, the default backbone: an open_clip model from registry packages, nothing downloaded."""

from pathlib import Path

from adapters.backbones.lite.model import build_lite
from adapters.backbones.lite.weights import TOWER_FILES, PinnedFile

__all__ = ["ADAPTER", "LITE_FOLDER", "TEMPLATES", "TOWER_FILES", "PinnedFile", "build_lite"]

LITE_FOLDER = Path(__file__).parent
"""Where its projections and its adapter are kept, in the package."""

ADAPTER = LITE_FOLDER / "adapter.safetensors"
"""The adapter that `lite` corrects intra-modal overlap with; docs/lite.md tells how it was made."""

TEMPLATES = ("a photo of a {}.",)
"""Prompt templates that suit `lite`, chosen on generic images alone."""
