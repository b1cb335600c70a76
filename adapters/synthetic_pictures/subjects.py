"""What synthetic pictures show: shapes, drawings, patterns and letters, each a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from math import cos, pi, sin
from random import Random

from PIL import Image, ImageDraw, ImageFont

SIDE = 256
"""Pixels of a picture's side."""

Point = tuple[float, float]
Draw = Callable[[Image.Image, Random], None]
"""Draws a subject's mask onto an empty one (mode L): white is what belongs to it."""


def _polygon(points: Sequence[Point], mask: Image.Image, chance: Random) -> None:
    """A filled polygon in the unit square, whose corners are a little off."""
    moved = [
        ((x + chance.uniform(-0.03, 0.03)) * SIDE, (y + chance.uniform(-0.03, 0.03)) * SIDE)
        for x, y in points
    ]
    ImageDraw.Draw(mask).polygon(moved, fill=255)


def _around(radii: Sequence[float]) -> list[Point]:
    """Corners at these distances from the middle, evenly around it."""
    angles = (2 * pi * i / len(radii) for i in range(len(radii)))
    return [(0.5 + r * sin(a), 0.5 - r * cos(a)) for r, a in zip(radii, angles, strict=True)]


def _ellipse(mask: Image.Image, chance: Random) -> None:
    width, height = chance.uniform(0.3, 0.42), chance.uniform(0.3, 0.42)
    box = [SIDE * (0.5 - width), SIDE * (0.5 - height), SIDE * (0.5 + width), SIDE * (0.5 + height)]
    ImageDraw.Draw(mask).ellipse(box, fill=255)


def _ring(mask: Image.Image, chance: Random) -> None:
    _ellipse(mask, chance)
    inner = SIDE * chance.uniform(0.1, 0.2)
    ImageDraw.Draw(mask).ellipse([SIDE / 2 - inner] * 2 + [SIDE / 2 + inner] * 2, fill=0)


def _crescent(mask: Image.Image, chance: Random) -> None:
    _ellipse(mask, chance)
    off = SIDE * chance.uniform(0.12, 0.2)
    box = [SIDE * 0.15 + off, SIDE * 0.15, SIDE * 0.8 + off, SIDE * 0.85]
    ImageDraw.Draw(mask).ellipse(box, fill=0)


def _strokes(lines: Sequence[Sequence[Point]], mask: Image.Image, chance: Random) -> None:
    """Lines as by an unsteady hand, of one width."""
    draw = ImageDraw.Draw(mask)
    width = chance.randrange(3, 9)
    for line in lines:
        wobbly = []
        for (x, y), (u, v) in pairwise(line):
            wobbly += [
                (
                    SIDE * (x + (u - x) * t + chance.uniform(-0.012, 0.012)),
                    SIDE * (y + (v - y) * t + chance.uniform(-0.012, 0.012)),
                )
                for t in (0.0, 0.25, 0.5, 0.75, 1.0)
            ]
        draw.line(wobbly, fill=255, width=width, joint="curve")


def _circle(x: float, y: float, r: float, a: float = 0, b: float = 2) -> list[Point]:
    """A part of a circle as a line; angles in units of π, from the right and downwards."""
    turns = [a + (b - a) * i / 12 for i in range(13)]
    return [(x + r * cos(pi * t), y + r * sin(pi * t)) for t in turns]


_HOUSE = [
    [(0.2, 0.45), (0.5, 0.15), (0.8, 0.45), (0.8, 0.85), (0.2, 0.85), (0.2, 0.45), (0.8, 0.45)],
    [(0.43, 0.85), (0.43, 0.62), (0.57, 0.62), (0.57, 0.85)],
]
_FACE = [
    _circle(0.5, 0.5, 0.36),
    _circle(0.38, 0.42, 0.04),
    _circle(0.62, 0.42, 0.04),
    _circle(0.5, 0.55, 0.17, 0.15, 0.85),
]
_TREE = [
    [(0.47, 0.9), (0.47, 0.6)],
    [(0.53, 0.9), (0.53, 0.6)],
    _circle(0.5, 0.3, 0.17, 0.8, 2.2),
    _circle(0.35, 0.45, 0.14, 0.4, 1.5),
    _circle(0.65, 0.45, 0.14, 1.5, 2.6),
    [(0.35, 0.6), (0.65, 0.6)],
]
_FISH = [
    _circle(0.42, 0.62, 0.3, 1.15, 1.85),
    _circle(0.42, 0.38, 0.3, 0.15, 0.85),
    [(0.69, 0.5), (0.88, 0.34), (0.88, 0.66), (0.69, 0.5)],
    _circle(0.28, 0.47, 0.02),
]
_CUP = [
    [(0.25, 0.3), (0.3, 0.8), (0.6, 0.8), (0.65, 0.3), (0.25, 0.3)],
    _circle(0.66, 0.5, 0.13, 1.5, 2.5),
    [(0.15, 0.86), (0.75, 0.86)],
]
_CAR = [
    [(0.1, 0.65), (0.1, 0.5), (0.3, 0.48), (0.4, 0.33), (0.65, 0.33), (0.75, 0.48), (0.9, 0.52)],
    [(0.9, 0.52), (0.9, 0.65), (0.1, 0.65)],
    _circle(0.28, 0.67, 0.09),
    _circle(0.72, 0.67, 0.09),
]


def _repeated(cell: Callable[[int, int, float], bool], mask: Image.Image, chance: Random) -> None:
    """A pattern all over, from whether a pixel of a period belongs to it."""
    period = chance.randrange(18, 44)
    share = chance.uniform(0.35, 0.65)
    tile = 2 * period
    small = bytes(
        255 * cell(int(64 * x / period), int(64 * y / period), 64 * share)
        for y in range(tile)
        for x in range(tile)
    )
    one = Image.frombytes("L", (tile, tile), small)
    for x in range(0, SIDE, tile):
        for y in range(0, SIDE, tile):
            mask.paste(one, (x, y))


def _dots(x: int, y: int, share: float) -> bool:
    return (x % 64 - 32) ** 2 + (y % 64 - 32) ** 2 < (share / 2) ** 2


def _bricks(x: int, y: int, share: float) -> bool:
    return y % 64 > share / 4 and (x + 64 * (y // 64)) % 128 > share / 4


def _zigzag(x: int, y: int, share: float) -> bool:
    return (y + abs(x % 64 - 32)) % 64 < share


def _scales(x: int, y: int, share: float) -> bool:
    x += 32 * (y // 64 % 2)
    r: float = ((x % 64 - 32) ** 2 + (y % 64) ** 2) ** 0.5
    return r > 34 or abs(r - share / 2) < 5


def _rings(x: int, y: int, share: float) -> bool:
    r: float = ((x - 64) ** 2 + (y - 64) ** 2) ** 0.5
    return r % 32 < share / 2


def _letter(text: str, mask: Image.Image, chance: Random) -> None:
    font = ImageFont.load_default(chance.uniform(150, 220))
    ImageDraw.Draw(mask).text((SIDE / 2, SIDE / 2), text, fill=255, font=font, anchor="mm")


SUBJECTS: Mapping[str, Draw] = {
    "ellipse": _ellipse,
    "ring": _ring,
    "crescent": _crescent,
    "triangle": partial(_polygon, _around([0.4] * 3)),
    "square": partial(_polygon, _around([0.4] * 4)),
    "star": partial(_polygon, _around([0.42, 0.18] * 5)),
    "house": partial(_strokes, _HOUSE),
    "face": partial(_strokes, _FACE),
    "tree": partial(_strokes, _TREE),
    "fish": partial(_strokes, _FISH),
    "cup": partial(_strokes, _CUP),
    "car": partial(_strokes, _CAR),
    "stripes": partial(_repeated, lambda x, y, share: x % 64 < share),
    "checks": partial(_repeated, lambda x, y, _: (x // 64 + y // 64) % 2 == 0),
    "dots": partial(_repeated, _dots),
    "bricks": partial(_repeated, _bricks),
    "zigzag": partial(_repeated, _zigzag),
    "scales": partial(_repeated, _scales),
    "letter A": partial(_letter, "A"),
    "letter R": partial(_letter, "R"),
    "letter S": partial(_letter, "S"),
    "number 8": partial(_letter, "8"),
    "question mark": partial(_letter, "?"),
    "target": partial(_repeated, _rings),
}
"""Classes: a name, and what draws the mask of one."""
