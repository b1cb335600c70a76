"""`lite`, the default backbone: an open_clip model from registry packages, nothing downloaded.

:mod:`adapters.backbones.lite.model` builds it, and imports open_clip, which takes seconds.
"""

from adapters.backbones.lite.package import ADAPTER, LITE, LITE_FOLDER, TEMPLATES
from adapters.backbones.lite.pinned_files import TOWER_FILES, PinnedFile

__all__ = ["ADAPTER", "LITE", "LITE_FOLDER", "TEMPLATES", "TOWER_FILES", "PinnedFile"]
