"""A tiny cut of each data set, as its publishers and CoOp's authors lay it out, in archives."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import crc32

from adapters.synthetic_pictures import SUBJECTS, picture

TRAIN, VAL, TEST = 2, 1, 1
"""Images of a class."""
_SUBJECTS = list(SUBJECTS)
_Names = Sequence[tuple[str, str]]


class Layouts:
    """Writes what the page downloads.

    Args:
        web: Folder that stands for the internet: files by the last part of their address.
        brought: Folder for what the page asks the reader to bring.
        scratch: For what is packed.
    """

    def __init__(self, web: Path, brought: Path, scratch: Path) -> None:
        self._web, self._brought, self._scratch = web, brought, scratch

    def write(self, name: str) -> None:
        """Write the archives, splits and lists of a data set."""
        writers: dict[str, Callable[[], None]] = {
            "imagenet": self._imagenet,
            "fgvc_aircraft": self._aircraft,
        }
        writers.get(name, lambda: self._zhou(name))()

    def write_open_images(self) -> None:
        """Write the list of the adapter's authors, and a downloader that draws its pictures."""
        pictures = self._web / "open_images"
        rows = ["ImageID,DisplayName,type"]
        for number in range(8):
            image = f"{number:016x}"
            self._draw(pictures / f"{image}.jpg", number % 2)
            rows.append(f"{image},{('Cat', 'Bicycle wheel')[number % 2]},train")
        (self._web / "oi_data.csv").write_text("\n".join(rows) + "\n")
        (self._web / "downloader.py").write_text(
            "import argparse, pathlib, shutil\n"
            "parser = argparse.ArgumentParser()\n"
            "parser.add_argument('list')\n"
            "parser.add_argument('--download_folder', type=pathlib.Path)\n"
            "parser.add_argument('--num_processes', type=int)\n"
            "given = parser.parse_args()\n"
            "given.download_folder.mkdir(parents=True, exist_ok=True)\n"
            "for line in open(given.list):\n"
            "    split, image = line.strip().split('/')\n"
            f"    shutil.copy(f'{pictures}/{{image}}.jpg', given.download_folder)\n"
        )

    def _draw(self, path: Path, subject: int) -> None:
        """Draw a picture that no other file has: features are kept by content."""
        path.parent.mkdir(parents=True, exist_ok=True)
        number = crc32("/".join(path.parts[-3:]).encode())
        picture(_SUBJECTS[subject], number).save(path, "JPEG")

    def _zhou(self, name: str) -> None:
        """A data set with a ``split_zhou_*.json``: its images below a folder of its archive."""
        made = _ZHOU[name]
        folder = self._scratch / name
        split: dict[str, list[tuple[str, int, str]]] = {"train": [], "val": [], "test": []}
        for label, (place, title) in enumerate(made.names):
            number = 0
            for part, n in (("train", TRAIN), ("val", VAL), ("test", TEST)):
                for _ in range(n):
                    path = made.file(part, place, 10 * label + number)
                    self._draw(folder / made.images / path, label)
                    split[part].append((path, label, title))
                    number += 1
        if made.inner:  # an archive in an archive
            inner = folder / made.inner
            with tarfile.open(inner, "w:gz") as archive:
                archive.add(folder / made.images, Path(made.images).name)
            shutil.rmtree(folder / made.images)
        for archive_name, root in made.archives:
            where = self._brought if made.brought else self._web
            _pack(where / archive_name, folder, root)
        (self._web / made.split).write_text(json.dumps(split))

    def _imagenet(self) -> None:
        names = {"n01440764": "tench", "n04008634": "missile", "n03773504": "missile"}
        (self._web / "classnames.txt").write_text(
            "".join(f"{folder} {name}\n" for folder, name in names.items())
        )
        train, tested = self._scratch / "train", self._scratch / "val"
        sorting = []
        for label, folder in enumerate(names):
            for number in range(TRAIN):
                self._draw(self._scratch / folder / f"{folder}_{number}.JPEG", label)
            _pack(train / f"{folder}.tar", self._scratch / folder, ".")
            image = f"ILSVRC2012_val_{label + 1:08d}.JPEG"
            self._draw(tested / image, label)
            sorting += [f"mkdir -p {folder}", f"mv {image} {folder}/"]
        (self._web / "valprep.sh").write_text("\n".join(sorting) + "\n")
        _pack(self._brought / "ILSVRC2012_img_train.tar", train, ".")
        _pack(self._brought / "ILSVRC2012_img_val.tar", tested, ".")

    def _aircraft(self) -> None:
        data = self._scratch / "fgvc-aircraft-2013b" / "data"
        variants = ("707-320", "F/A-18")
        lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
        for label, variant in enumerate(variants):
            number = 0
            for part, n in (("train", TRAIN), ("val", VAL), ("test", TEST)):
                for _ in range(n):
                    image = f"{1000 * label + number:07d}"
                    self._draw(data / "images" / f"{image}.jpg", label)
                    lists[part].append(f"{image} {variant}\n")
                    number += 1
        (data / "variants.txt").write_text("\n".join(variants) + "\n")
        for part, lines in lists.items():
            (data / f"images_variant_{part}.txt").write_text("".join(lines))
        _pack(self._web / "fgvc-aircraft-2013b.tar.gz", self._scratch, "fgvc-aircraft-2013b")


class _Zhou:
    """How the archives of a data set are laid out."""

    def __init__(
        self,
        split: str,
        archives: Sequence[tuple[str, str]],
        images: str,
        names: _Names,
        file: Callable[[str, str, int], str],
        *,
        inner: str = "",
        brought: bool = False,
    ) -> None:
        self.split, self.archives, self.images = split, archives, images
        self.names, self.file = names, file
        self.inner, self.brought = inner, brought


_ZHOU: dict[str, _Zhou] = {
    "caltech101": _Zhou(
        "split_zhou_Caltech101.json",
        [("caltech-101.zip", "caltech-101")],
        "caltech-101/101_ObjectCategories",
        [("Faces", "face"), ("car_side", "car_side")],
        lambda part, place, n: f"{place}/image_{n + 1:04d}.jpg",
        inner="caltech-101/101_ObjectCategories.tar.gz",
    ),
    "oxford_pets": _Zhou(
        "split_zhou_OxfordPets.json",
        [("images.tar.gz", "images")],
        "images",
        [("Abyssinian", "abyssinian"), ("german_shorthaired", "german_shorthaired")],
        lambda part, place, n: f"{place}_{n + 1}.jpg",
    ),
    "stanford_cars": _Zhou(
        "split_zhou_StanfordCars.json",
        [("cars_train.tgz", "cars_train"), ("cars_test.tgz", "cars_test")],
        ".",
        [("", "2000 AM General Hummer SUV"), ("", "2012 Ram C/V Cargo Van Minivan")],
        lambda part, place, n: f"cars_{'test' if part == 'test' else 'train'}/{n + 1:05d}.jpg",
        brought=True,
    ),
    "oxford_flowers": _Zhou(
        "split_zhou_OxfordFlowers.json",
        [("102flowers.tgz", "jpg")],
        "jpg",
        [("", "pink primrose"), ("", "bird of paradise")],
        lambda part, place, n: f"image_{n + 1:05d}.jpg",
    ),
    "food101": _Zhou(
        "split_zhou_Food101.json",
        [("food-101.tar.gz", "food-101")],
        "food-101/images",
        [("apple_pie", "apple_pie"), ("waffles", "waffles")],
        lambda part, place, n: f"{place}/{100000 + n}.jpg",
    ),
    "sun397": _Zhou(
        "split_zhou_SUN397.json",
        [("SUN397.tar.gz", "SUN397")],
        "SUN397",
        [("a/abbey", "abbey"), ("a/apartment_building/outdoor", "outdoor apartment_building")],
        lambda part, place, n: f"{place}/sun_{n:020d}.jpg",
    ),
    "dtd": _Zhou(
        "split_zhou_DescribableTextures.json",
        [("dtd-r1.0.1.tar.gz", "dtd")],
        "dtd/images",
        [("banded", "banded"), ("zigzagged", "zigzagged")],
        lambda part, place, n: f"{place}/{place}_{n:04d}.jpg",
    ),
    "eurosat": _Zhou(
        "split_zhou_EuroSAT.json",
        [("EuroSAT.zip", "2750")],
        "2750",
        [("AnnualCrop", "Annual Crop Land"), ("SeaLake", "Sea or Lake")],
        lambda part, place, n: f"{place}/{place}_{n + 1}.jpg",
    ),
    "ucf101": _Zhou(
        "split_zhou_UCF101.json",
        [("UCF-101-midframes.zip", "UCF-101-midframes")],
        "UCF-101-midframes",
        [("Apply_Eye_Makeup", "Apply_Eye_Makeup"), ("Yo_Yo", "Yo_Yo")],
        lambda part, place, n: f"{place}/v_{place.replace('_', '')}_g01_c{n:02d}.jpg",
    ),
}


def _pack(path: Path, folder: Path, root: str) -> None:
    """Pack ``folder/root`` as ``root``, or its files alone (``.``), by the archive's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files = sorted(file for file in (folder / root).rglob("*") if file.is_file())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for file in files:
                zipped.write(file, file.relative_to(folder))
        return
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as packed:
        for file in files:
            packed.add(file, file.relative_to(folder))
