"""Sample images that come inside registry packages, cut into support and query images."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

_PATCH = 64


@dataclass(frozen=True, slots=True)
class SampleImage:
    """Sample image: encoded bytes with the class it belongs to."""

    name: str
    label: str
    content: bytes


@dataclass(frozen=True, slots=True)
class FewShotTask:
    """Few-shot task: classes to tell apart, with support images and queries.

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
    support: list[SampleImage]
    queries: list[SampleImage]


class SampleImagesMissingError(RuntimeError):
    """Packages with sample images are not installed."""


def materials(shots: int = 4) -> FewShotTask:
    """Brick, grass and gravel: three CC0 photographs of scikit-image cut into patches.

    Raises:
        SampleImagesMissingError: scikit-image is not installed.
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
        images = [
            SampleImage(f"{label}-{i:02}.png", label, _png(patch))
            for i, patch in enumerate(patches)
        ]
        random.Random(label).shuffle(images)  # noqa: S311 - not a secret
        support += images[:shots]
        queries += images[shots:]
    about = "patches of three photographs (scikit-image, CC0)"
    return FewShotTask("materials", about, True, support, queries)


def textiles(shots: int = 16, queries_per_class: int = 60) -> FewShotTask:
    """Simulated woven cloth, sound or with a local or a global defect: a hard case.

    Raises:
        SampleImagesMissingError: conformal-clip-data is not installed.
    """
    package = _package("conformal_clip_data", "conformal-clip-data")
    folder = package / "data" / "textile_images" / "simulated"
    support, queries = [], []
    for label in ("nominal", "local", "global"):
        files = sorted((folder / label).glob("*.jpg"))
        random.Random(label).shuffle(files)  # noqa: S311 - not a secret
        images = [
            SampleImage(path.name, label, path.read_bytes())
            for path in files[: shots + queries_per_class]
        ]
        support += images[:shots]
        queries += images[shots:]
    about = "woven cloth, sound or with a defect (conformal-clip-data, MIT)"
    return FewShotTask("textiles", about, False, support, queries)


def _package(module: str, distribution: str) -> Path:
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise SampleImagesMissingError(
            f"the demo's images come with the package {distribution}; install it with: "
            "pip install 'handful[demo]'"
        )
    return Path(spec.submodule_search_locations[0])


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
