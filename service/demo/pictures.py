"""Real images that come inside registry packages, cut into support and query images."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

_PATCH = 64


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded image with the class it belongs to."""

    name: str
    label: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Task:
    """Something to tell apart.

    Attributes:
        name: The classifier's name.
        about: What the images are, and whose.
        names_carry_meaning: Whether the labels say what is to be seen.
        support: What to register.
        queries: What to ask; none of them is in ``support``.
    """

    name: str
    about: str
    names_carry_meaning: bool
    support: list[Picture]
    queries: list[Picture]


class PicturesMissingError(RuntimeError):
    """The packages with the images are not installed."""


def materials(shots: int = 4) -> Task:
    """Brick, grass and gravel: three CC0 photographs of scikit-image cut into patches.

    Raises:
        PicturesMissingError: scikit-image is not installed.
    """
    folder = _package("skimage", "scikit-image") / "data"
    support, queries = [], []
    for label in ("brick", "grass", "gravel"):
        with Image.open(folder / f"{label}.png") as photo:
            patches = [
                photo.crop((x, y, x + _PATCH, y + _PATCH))
                for y in range(0, photo.height, _PATCH)
                for x in range(0, photo.width, _PATCH)
            ]
        pictures = [
            Picture(f"{label}-{i:02}.png", label, _png(patch)) for i, patch in enumerate(patches)
        ]
        random.Random(label).shuffle(pictures)  # noqa: S311 - not a secret
        support += pictures[:shots]
        queries += pictures[shots:]
    about = "patches of three photographs (scikit-image, CC0)"
    return Task("materials", about, True, support, queries)


def textiles(shots: int = 16, queries_per_class: int = 60) -> Task:
    """Simulated woven cloth, sound or with a local or a global defect: a hard case.

    Raises:
        PicturesMissingError: conformal-clip-data is not installed.
    """
    package = _package("conformal_clip_data", "conformal-clip-data")
    folder = package / "data" / "textile_images" / "simulated"
    support, queries = [], []
    for label in ("nominal", "local", "global"):
        files = sorted((folder / label).glob("*.jpg"))
        random.Random(label).shuffle(files)  # noqa: S311 - not a secret
        pictures = [
            Picture(path.name, label, path.read_bytes())
            for path in files[: shots + queries_per_class]
        ]
        support += pictures[:shots]
        queries += pictures[shots:]
    about = "woven cloth, sound or with a defect (conformal-clip-data, MIT)"
    return Task("textiles", about, False, support, queries)


def _package(module: str, distribution: str) -> Path:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise PicturesMissingError(
            f"the demo's images come with the package {distribution}; install it with: "
            "pip install 'handful[demo]'"
        )
    return Path(spec.submodule_search_locations[0])


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
