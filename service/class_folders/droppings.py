"""What lies beside images without being one: droppings of systems, notes, tables.

Told by names alone. Whatever is not listed here is taken for an image, and its content decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.images.formats import IMAGE_SUFFIXES

_MACOS = "was added by macOS"
_WINDOWS = "was added by Windows"
_NAS = "was added by network storage"
_VERSIONS = "belongs to version control"
_TOOL = "was added by a tool"
_LINUX = "was added by Linux"

# Whole folders, by their name in small letters.
_FOLDERS = {
    "__macosx": _MACOS,
    ".spotlight-v100": _MACOS,
    ".trashes": _MACOS,
    ".fseventsd": _MACOS,
    ".temporaryitems": _MACOS,
    ".documentrevisions-v100": _MACOS,
    ".appledouble": _NAS,
    ".appledb": _NAS,
    ".appledesktop": _NAS,
    "@eadir": _NAS,
    ".@__thumb": _NAS,
    "@tmp": _NAS,
    "#recycle": _NAS,
    "@recycle": _NAS,
    "@recently-snapshot": _NAS,
    "#snapshot": _NAS,
    "$recycle.bin": _WINDOWS,
    "recycler": _WINDOWS,
    "system volume information": _WINDOWS,
    "lost+found": _LINUX,
    ".trash": _LINUX,
    ".thumbnails": _LINUX,
    ".thumbs": _LINUX,
    ".git": _VERSIONS,
    ".svn": _VERSIONS,
    ".hg": _VERSIONS,
    ".ipynb_checkpoints": _TOOL,
    "__pycache__": _TOOL,
    ".cache": _TOOL,
    ".idea": _TOOL,
    ".vscode": _TOOL,
    ".dropbox.cache": _TOOL,
    ".sync": _TOOL,
    ".stfolder": _TOOL,
    ".stversions": _TOOL,
    ".tmp.drivedownload": _TOOL,
}
_TRASH = re.compile(r"\.trash-\d+")

# Files, by their name in small letters.
_FILES = {
    "icon\r": _MACOS,
    ".ds_store": _MACOS,
    ".localized": _MACOS,
    ".volumeicon.icns": _MACOS,
    ".apdisk": _MACOS,
    "thumbs.db": _WINDOWS,
    "ehthumbs.db": _WINDOWS,
    "ehthumbs_vista.db": _WINDOWS,
    "desktop.ini": _WINDOWS,
    "folder.jpg:zone.identifier": _WINDOWS,
    "picasa.ini": _TOOL,
    "synofile_thumb.db": _NAS,
}
_NOTES = {
    "readme", "license", "licence", "copying", "changelog", "authors", "makefile", "dockerfile",
    "notice", "version",
}  # fmt: skip
_NO_IMAGE = {
    # Texts, tables, annotations
    "txt", "md", "rst", "rtf", "log", "csv", "tsv", "json", "jsonl", "ndjson", "xml", "xmp", "yaml",
    "yml", "toml", "ini", "cfg", "conf", "html", "htm", "css", "url", "webloc", "lnk", "pdf", "doc",
    "docx", "odt", "xls", "xlsx", "ods", "ppt", "pptx", "names", "data", "aae", "thm", "nfo",
    "sha256", "sha1", "md5",
    # Programs
    "py", "pyc", "ipynb", "js", "ts", "sh", "bat", "ps1", "exe", "dll", "m",
    # Arrays, databases and models
    "npy", "npz", "mat", "pkl", "pickle", "h5", "hdf5", "parquet", "arrow", "db", "sqlite", "pt",
    "pth", "onnx", "safetensors", "tfrecord", "lmdb",
    # Sound and film
    "mp3", "wav", "flac", "ogg", "m4a", "mp4", "mov", "avi", "mkv", "webm", "m4v", "3gp", "wmv",
    # Left by programs
    "bak", "tmp", "swp", "part", "crdownload",
}  # fmt: skip
# Of those that are read, and of some that are not, so that they are refused and not skipped.
_IMAGE = {suffix[1:] for suffix in IMAGE_SUFFIXES} | {"jif", "avifs", "jp2", "j2k", "jxl"}


def why_skipped(parts: Sequence[str]) -> str | None:
    """Why a file is no image of a class, by its folders and name; None if it may be one.

    Args:
        parts: Folders, then the name of the file.
    """
    *folders, name = parts
    for folder in folders:
        small = folder.lower()
        if reason := _FOLDERS.get(small):
            return reason
        if _TRASH.fullmatch(small):
            return _LINUX
    small = name.lower()
    if reason := _FILES.get(small):
        return reason
    if small.startswith("._"):
        return _MACOS
    if small.startswith("~$"):
        return _WINDOWS
    if small.endswith(":zone.identifier"):
        return _WINDOWS
    if small.startswith(".") or small.endswith("~"):
        return "is a hidden file" if small.startswith(".") else "was left by an editor"
    stem, dot, suffix = small.rpartition(".")
    if small in _NOTES or (dot and stem in _NOTES and suffix not in _IMAGE):
        return "is no image by its name"
    if dot and suffix in _NO_IMAGE:
        return f"is no image by its name (.{suffix})"
    return None


def is_image_name(name: str) -> bool:
    """Whether the suffix is one that image files have."""
    return name.lower().rpartition(".")[2] in _IMAGE and "." in name
