"""`lite`, the default backbone: an open_clip model from registry packages, nothing downloaded."""

from adapters.backbones.lite.model import build_lite
from adapters.backbones.lite.weights import TOWER_FILES, PinnedFile

__all__ = ["TEMPLATES", "TOWER_FILES", "PinnedFile", "build_lite"]

TEMPLATES = ("a photo of a {}.",)
"""Prompt templates that suit `lite`, chosen on generic images alone."""
