"""Whether pictures in other colour spaces are embedded as what they show.

    python -m benchmarks.colour_spaces DIR... [--images 40] [--cmyk PROFILE.icc]

Pictures of each folder (at any depth, drawn with a seed) are written as they are, and once more in
Display P3, in Adobe RGB and, given a printer's profile, in its CMYK. The table has the cosine of
their embeddings with those of the originals, with the profile attached and without it. Eight bits
of another space are not eight bits of sRGB, and inks cannot print every colour; so `seen` compares
with what those files show: their numbers as sRGB, computed exactly (by the profile, for inks).
"""

from __future__ import annotations

import argparse
import io
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms

from adapters.backbones import Backbone
from service.encoder import load_encoder
from service.images.decoding import decode
from service.images.formats import IMAGE_SUFFIXES
from service.settings import Settings
from tests import profiles

SPACES = {"Display P3": (profiles.P3, None), "Adobe RGB": (profiles.ADOBE, 563 / 256)}
_MOST = 64_000_000


def _file(image: Image.Image, kind: str = "PNG", icc: bytes | None = None) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, icc_profile=icc)
    return written.getvalue()


def _embedded(backbone: Backbone, files: Sequence[bytes]) -> torch.Tensor:
    pixels = [
        backbone.preprocess(decode(file, _MOST, side=backbone.image_size).pixels) for file in files
    ]
    return torch.cat(
        [
            backbone.encode_images(torch.stack(pixels[i : i + 8])).frozen
            for i in range(0, len(pixels), 8)
        ]
    )


def _told(one: torch.Tensor, other: torch.Tensor) -> str:
    cosines = (one * other).sum(dim=1)
    return f"{cosines.min():.4f} / {cosines.median():.4f}"


def main() -> None:
    """Embed and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--cmyk", type=Path)
    arguments = parser.parse_args()
    backbone = load_encoder(Settings(runtime="eager"))
    print("| set | space | with profile, lowest / median | without | seen |")
    print("|---|---|---|---|---|")
    for folder in arguments.folders:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        drawn = random.Random(0).sample(paths, min(arguments.images, len(paths)))
        images = [decode(path.read_bytes(), _MOST).pixels for path in drawn]
        plain = _embedded(backbone, [_file(image) for image in images])
        for space, (primaries, gamma) in SPACES.items():
            icc = profiles.of_rgb(primaries, gamma)
            there = [
                Image.fromarray(profiles.encoded_in(np.asarray(image), primaries, gamma))
                for image in images
            ]
            attached = _embedded(backbone, [_file(image, icc=icc) for image in there])
            bare = _embedded(backbone, [_file(image) for image in there])
            exact = [profiles.decoded_from(np.asarray(image), primaries, gamma) for image in there]
            seen = _embedded(backbone, [_file(Image.fromarray(levels)) for levels in exact])
            print(
                f"| {folder.name} | {space} | {_told(attached, plain)} | {_told(bare, plain)} "
                f"| {_told(attached, seen)} |",
                flush=True,
            )
        if arguments.cmyk is None:
            continue
        icc = arguments.cmyk.read_bytes()
        inks = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        how = (ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION)
        to_inks = ImageCms.buildTransform(srgb, inks, "RGB", "CMYK", *how)
        back = ImageCms.buildTransform(inks, srgb, "CMYK", "RGB", *how)
        there = [to_inks.apply(image) for image in images]
        attached = _embedded(backbone, [_file(image, "TIFF", icc) for image in there])
        bare = _embedded(backbone, [_file(image, "TIFF") for image in there])
        seen = _embedded(backbone, [_file(back.apply(image)) for image in there])
        print(
            f"| {folder.name} | CMYK | {_told(attached, plain)} | {_told(bare, plain)} "
            f"| {_told(attached, seen)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
