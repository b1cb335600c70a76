"""Seeded pictures in which classes differ by colour and pattern, as files of many kinds."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("stripes", "rings", "checks", "sand", "waves")
_COLOURS = ((200, 60, 50), (50, 90, 200), (60, 170, 70), (190, 170, 110), (120, 60, 160))


def picture(label: str, seed: int, size: tuple[int, int] = (72, 60)) -> Image.Image:
    """A picture of a class that no other seed gives."""
    number = LABELS.index(label)
    random = np.random.default_rng([number, seed])
    y, x = np.mgrid[: size[1], : size[0]] / 10.0
    x, y = x + random.uniform(-1, 1), y + random.uniform(-1, 1)
    pace = 2.0 + random.uniform(-0.4, 0.4)
    pattern = [
        np.sin(pace * x),
        np.sin(pace * np.hypot(x - 3.5, y - 3)),
        np.sign(np.sin(pace * x) * np.sin(pace * y)),
        random.normal(0, 0.7, x.shape),
        np.sin(pace * y + np.sin(x)),
    ][number]
    colour = np.array(_COLOURS[number]) + random.normal(0, 12, 3)
    values = colour + 45 * pattern[..., None] + random.normal(0, 10, (*x.shape, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(label: str, seed: int) -> bytes:
    """A picture of a class as a file."""
    return encoded(picture(label, seed))


def jpeg(label: str, seed: int, quality: int = 90) -> bytes:
    """The same as JPEG; other qualities give near copies."""
    return encoded(picture(label, seed), "JPEG", quality=quality)


def many_kinds() -> dict[str, bytes]:
    """One picture in each of many formats and pixel layouts, by file name."""
    image = picture("rings", 77)
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = image.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    deep = Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 257)
    large = image.resize((1500, 1250), Image.Resampling.BICUBIC)
    return {
        "plain.png": encoded(image),
        "palette.png": encoded(image.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)),
        "alpha.png": encoded(clear),
        "grey-alpha.png": encoded(clear.convert("LA")),
        "deep.png": encoded(deep),
        "bits.png": encoded(image.convert("1")),
        "turned.jpg": encoded(image, "JPEG", exif=turned.tobytes()),
        "progressive.jpg": encoded(image, "JPEG", progressive=True, quality=80),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "large.jpg": encoded(large, "JPEG", quality=85),
        "lossy.webp": encoded(image, "WEBP", quality=80),
        "lossless.webp": encoded(clear, "WEBP", lossless=True),
        "one.gif": encoded(image, "GIF"),
        "plain.bmp": encoded(image, "BMP"),
        "plain.ppm": encoded(image, "PPM"),
        "lzw.tiff": encoded(image, "TIFF", compression="tiff_lzw"),
        "cmyk.tiff": encoded(image.convert("CMYK"), "TIFF"),
    }


def write_folders(folder: Path, each: int) -> None:
    """Write ``train/LABEL/*`` and ``test/LABEL/*`` with so many training images a class."""
    for split, seeds in (("train", range(each)), ("test", range(100, 104))):
        for label in LABELS[:4]:
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            for seed in seeds:
                (folder / split / label / f"{seed}.png").write_bytes(png(label, seed))
