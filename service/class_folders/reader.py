"""From the names of files to labels: the folder that varies is the label.

The rules, with a table of examples, are in ``docs/uploads.md``. Nothing is read but names, so
that an archive, a form and a folder on disk get the same answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from service.class_folders.droppings import why_skipped
from service.class_folders.levels import AmbiguousFolders, Strays, class_level
from service.file_reasons import FileReason, listed

_DRIVE = re.compile(r"[A-Za-z]:[/\\]")
# More than any file system's, and few enough that looking at every level of every name is cheap.
_DEEPEST = 32
_LONGEST = 1024
_NO_FOLDER = "has no folder to take the label from"
_BESIDE = "lies beside the folders of the classes"


class ClassFolderError(ValueError):
    """The names do not tell the labels; the message says how to mend them.

    Attributes:
        files: All the files at fault; none where it is the folders as a whole.
    """

    def __init__(self, message: str, files: Sequence[FileReason] = ()) -> None:
        super().__init__(message)
        self.files = tuple(files)

    @property
    def is_about_labels(self) -> bool:
        """Whether all files could be taken if nobody asked for their labels."""
        return all(file.reason.startswith((_NO_FOLDER, _BESIDE)) for file in self.files)

    @property
    def is_flat(self) -> bool:
        """Whether no file has a folder."""
        return bool(self.files) and all(file.reason == _NO_FOLDER for file in self.files)


@dataclass(frozen=True, slots=True)
class ClassFolders:
    """What a sequence of names says.

    Attributes:
        labels: Of each file, in the order of the names; None where it is skipped.
        skipped: The others, with the reason.
    """

    labels: tuple[str | None, ...]
    skipped: tuple[FileReason, ...]


def read_class_folders(names: Sequence[str], *, backslashes: bool = True) -> ClassFolders:
    r"""Take the label of each file from its folders.

    Names are compared in Unicode normal form C; case counts. Known droppings of operating
    systems and tools, hidden files and what is no image by its suffix are skipped. A folder that
    merely begins with a dot is a class.

    Args:
        names: Relative, folders separated by ``/``.
        backslashes: Whether ``\`` separates folders too, in names without ``/``: archives from
            Windows have such names, and forms of some of its clients.

    Raises:
        ClassFolderError: Names lead outside (``..``, absolute paths, drive letters), have control
            characters, or no folder; or it cannot be told which level of folders is the label.
    """
    skipped: list[FileReason] = []
    faults: list[FileReason] = []
    taken: dict[int, tuple[str, ...]] = {}
    for place, name in enumerate(names):
        parts = _parts(name, backslashes=backslashes)
        if fault := _outside(name, parts, backslashes=backslashes):
            faults.append(FileReason(name, fault))
        elif len(name) > _LONGEST or len(parts) > _DEEPEST:
            faults.append(
                FileReason(
                    name, f"has over {_LONGEST} characters or {_DEEPEST} folders in its name"
                )
            )
        elif not parts:
            faults.append(FileReason(name, "names no file"))
        elif reason := why_skipped(parts):
            skipped.append(FileReason(name, reason))
        elif control := next((c for c in name if unicodedata.category(c) == "Cc"), None):
            faults.append(
                FileReason(name, f"has the control character U+{ord(control):04X} in its name")
            )
        else:
            taken[place] = parts[:-1]
    strays = [place for place, folders in taken.items() if not folders]
    only = len(strays) == len(taken)
    faults += [FileReason(names[at], _NO_FOLDER if only else f"{_NO_FOLDER}: it {_BESIDE}")
               for at in strays]  # fmt: skip
    inside = {place: folders for place, folders in taken.items() if folders}
    level = 0
    if inside:
        try:
            level = class_level(frozenset(inside.values()))
        except Strays as error:
            faults += [
                FileReason(names[place], _BESIDE)
                for place, folders in inside.items()
                if folders in error.folders
            ]
        except AmbiguousFolders as error:
            if not faults:
                raise ClassFolderError(
                    f"The folders do not tell the classes: {error}. Leave one level that varies, "
                    "LABEL/IMAGE; folders above it may be called train, val and test."
                ) from error
    if faults:
        raise ClassFolderError(
            f"{listed(faults)}. Name files LABEL/IMAGE, for instance cat/a.jpg.", faults
        )
    return ClassFolders(
        tuple(inside[place][level] if place in inside else None for place in range(len(names))),
        tuple(skipped),
    )


def _parts(name: str, *, backslashes: bool) -> tuple[str, ...]:
    name = unicodedata.normalize("NFC", name)
    if backslashes and "/" not in name:
        name = name.replace("\\", "/")
    return tuple(part for part in name.split("/") if part not in {"", "."})


def _outside(name: str, parts: Sequence[str], *, backslashes: bool) -> str | None:
    if ".." in parts or name.startswith("/") or (backslashes and name.startswith("\\")):
        return "names a file outside of itself"
    return "names a file outside of itself (a drive letter)" if _DRIVE.match(name) else None
