"""Training images with their classes: which files they are, and how they become examples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.training.method import Preprocessing
from service.training.image_examples import ImageExamples, ReadImage


@dataclass(frozen=True, slots=True)
class TrainingImages:
    """Image files and the class of each (`TrainingData` for the runner).

    Attributes:
        paths: An image of several classes is in it once for each of them.
        labels: For each path, the number of its class.
        classes: Names, in order.
        name: Of the folder or table that they come from.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    name: str = ""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def digest(self) -> str:
        """SHA-256 of the names of all files and classes; it does not matter where they are."""
        found = hashlib.sha256()
        for path, label in zip(self.paths, self.labels, strict=True):
            found.update(f"{path.name}\0{self.classes[label]}\0".encode())
        return found.hexdigest()

    @property
    def identity(self) -> dict[str, str]:
        """What a state must be of to be resumed from."""
        return {"data": self.digest}

    def examples(self, preprocessing: Preprocessing, read: ReadImage, seed: int) -> ImageExamples:
        """The images as examples for the loop."""
        return ImageExamples(
            self.paths,
            self.labels,
            preprocessing.transform,
            read=read,
            seed=seed,
            side=preprocessing.side,
            labelled=preprocessing.labelled,
        )

    def described(self, _unreadable: int) -> dict[str, Any]:
        """What the record tells of them."""
        return {
            "name": self.name,
            "images": len(self),
            "classes": len(self.classes),
            "digest": self.digest,
        }

    def counted(self, unreadable: int) -> dict[str, int]:
        """What ``training.json`` alone tells: an artefact is the same on a worse disk."""
        return {"unreadable_images": unreadable}


@dataclass(frozen=True, slots=True)
class FewShotImages(TrainingImages):
    """A few images of each class, drawn by a seed (`TrainingData` for the runner).

    Attributes:
        shots: Images of each class at most.
    """

    shots: int = 16

    def described(self, _unreadable: int) -> dict[str, Any]:
        """What the record tells of them."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "shots": self.shots,
            "images": len(self),
            "digest": self.digest,
        }

    def counted(self, _unreadable: int) -> dict[str, int]:
        """Nothing: so few images are looked at by whoever draws them."""
        return {}
