"""`lite`, the default backbone: an open_clip model from registry packages, nothing downloaded."""

from adapters.backbones.lite.model import ADAPTER, LITE, LITE_FOLDER, TEMPLATES, build_lite
from adapters.backbones.lite.pinned_files import TOWER_FILES, PinnedFile

__all__ = ["ADAPTER", "LITE", "LITE_FOLDER", "TEMPLATES", "TOWER_FILES", "PinnedFile", "build_lite"]
