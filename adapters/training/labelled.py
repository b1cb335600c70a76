"""Images with their classes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from adapters.training.errors import DataError


@dataclass(frozen=True, slots=True)
class Labelled:
    """Image files and the class of each.

    Attributes:
        paths: An image of several classes is in it once for each of them.
        labels: For each path, the number of its class.
        classes: Names, in order.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def digest(self) -> str:
        """SHA-256 of the names of all files and classes; it does not matter where they are."""
        found = hashlib.sha256()
        for path, label in zip(self.paths, self.labels, strict=True):
            found.update(f"{path.name}\0{self.classes[label]}\0".encode())
        return found.hexdigest()

    def require_classes(self, least: int = 2) -> None:
        """Check that there is something to tell apart.

        Raises:
            DataError: There are fewer classes.
        """
        if len(self.classes) < least:
            raise DataError(
                f"the data have {len(self.classes)} class ({', '.join(self.classes)}), and a "
                f"classifier needs {least}; give a folder with one folder a class or a table with "
                "a column of labels, or train without labels: --objective dino"
            )
