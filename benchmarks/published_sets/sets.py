"""Where each data set is in CoOp's layout, and the templates it is evaluated with.

Folders are those of ``datasets/*.py``, templates those of ``templates.py`` and ``run.py`` in
github.com/akres001/CLIP_fewshot_imo.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.published_sets.aircraft import read_aircraft
from benchmarks.published_sets.imagenet import read_imagenet
from benchmarks.published_sets.split import Split
from benchmarks.published_sets.zhou import read_zhou


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """A data set as it is published.

    Attributes:
        title: As papers write it.
        folder: Below the root.
        images: Folder of the images, below that.
        templates: With ``{}`` for the class name.
        counts: Images for training, validation and test in the whole data set: what CoOp's readers
            make of the archives, and its paper (arXiv 2109.01134) lists.
        classes: In the whole data set.
        split: Name of its ``split_zhou_*.json``; None: it has a layout of its own.
    """

    title: str
    folder: str
    images: str
    templates: tuple[str, ...]
    classes: int
    counts: tuple[int, int, int]
    split: str | None

    def read(self, root: Path) -> Split:
        """The split of the data set.

        Args:
            root: Holds its folder.

        Raises:
            LayoutError: Something is missing or not as it should be.
        """
        folder = root / self.folder
        images = folder / self.images
        if self.split is not None:
            return read_zhou(folder / self.split, images)
        return (read_imagenet if self.folder == "imagenet" else read_aircraft)(folder, images)


_PLAIN = ("a photo of a {}.",)
_ENSEMBLE = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)

SETS: dict[str, PublishedSet] = {
    "imagenet": PublishedSet(
        "ImageNet", "imagenet", "images", _ENSEMBLE, 1000, (1_281_167, 50_000, 50_000), None
    ),
    "caltech101": PublishedSet(
        "Caltech101",
        "caltech-101",
        "101_ObjectCategories",
        _PLAIN,
        100,
        (4128, 1649, 2465),
        "split_zhou_Caltech101.json",
    ),
    "oxford_pets": PublishedSet(
        "OxfordPets",
        "oxford_pets",
        "images",
        ("a photo of a {}, a type of pet.",),
        37,
        (2944, 736, 3669),
        "split_zhou_OxfordPets.json",
    ),
    "stanford_cars": PublishedSet(
        "StanfordCars",
        "stanford_cars",
        ".",
        _PLAIN,
        196,
        (6509, 1635, 8041),
        "split_zhou_StanfordCars.json",
    ),
    "oxford_flowers": PublishedSet(
        "Flowers102",
        "oxford_flowers",
        "jpg",
        ("a photo of a {}, a type of flower.",),
        102,
        (4093, 1633, 2463),
        "split_zhou_OxfordFlowers.json",
    ),
    "food101": PublishedSet(
        "Food101",
        "food-101",
        "images",
        ("a photo of {}, a type of food.",),
        101,
        (50_500, 20_200, 30_300),
        "split_zhou_Food101.json",
    ),
    "fgvc_aircraft": PublishedSet(
        "FGVCAircraft",
        "fgvc_aircraft",
        "images",
        ("a photo of a {}, a type of aircraft.",),
        100,
        (3334, 3333, 3333),
        None,
    ),
    "sun397": PublishedSet(
        "SUN397",
        "sun397",
        "SUN397",
        _PLAIN,
        397,
        (15_880, 3970, 19_850),
        "split_zhou_SUN397.json",
    ),
    "dtd": PublishedSet(
        "DTD",
        "dtd",
        "images",
        ("{} texture.",),
        47,
        (2820, 1128, 1692),
        "split_zhou_DescribableTextures.json",
    ),
    "eurosat": PublishedSet(
        "EuroSAT",
        "eurosat",
        "2750",
        ("a centered satellite photo of {}.",),
        10,
        (13_500, 5400, 8100),
        "split_zhou_EuroSAT.json",
    ),
    "ucf101": PublishedSet(
        "UCF101",
        "ucf101",
        "UCF-101-midframes",
        ("a photo of a person doing {}.",),
        101,
        (7639, 1898, 3783),
        "split_zhou_UCF101.json",
    ),
}
