"""Synthetic pictures: subjects in other places, sizes, colours, styles and before other grounds."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from adapters.synthetic_pictures.subjects import SIDE, SUBJECTS

Colour = tuple[int, int, int]


def pictures(a_class: int) -> Iterator[tuple[str, Image.Image]]:
    """So many pictures of every subject, one subject after the other, with its name.

    The same ones on every machine.

    Args:
        a_class: Pictures of each.
    """
    for name in SUBJECTS:
        for number in range(a_class):
            yield name, picture(name, number)


def picture(name: str, number: int) -> Image.Image:
    """One picture of a subject: RGB, `SIDE` pixels wide and high.

    Args:
        name: Of :data:`adapters.synthetic_pictures.subjects.SUBJECTS`.
        number: Of the picture; any number is another one.
    """
    chance = Random(f"{name}/{number}")  # noqa: S311 - pictures, no secrets
    mask = Image.new("L", (SIDE, SIDE))
    SUBJECTS[name](mask, chance)
    mask = _placed(mask, chance)
    style = chance.choice((_painted, _painted, _drawn, _printed))
    shown = style(mask, chance)
    if chance.random() < 0.5:
        shown = shown.filter(ImageFilter.GaussianBlur(chance.uniform(0.3, 2.5)))
    if chance.random() < 0.6:
        shown = _grainy(shown, chance)
    return shown


def _placed(mask: Image.Image, chance: Random) -> Image.Image:
    """Turned, made smaller, bent and moved."""
    size = chance.uniform(0.45, 1.0)
    turned = mask.rotate(chance.uniform(-40, 40), Image.Resampling.BILINEAR)
    width, height = (int(SIDE * size * chance.uniform(0.8, 1.0)) for _ in range(2))
    small = turned.resize((width, height), Image.Resampling.BICUBIC)
    if chance.random() < 0.5:
        small = ImageOps.mirror(small)
    placed = Image.new("L", (SIDE, SIDE))
    placed.paste(small, (chance.randrange(SIDE - width + 1), chance.randrange(SIDE - height + 1)))
    return placed


def _painted(mask: Image.Image, chance: Random) -> Image.Image:
    """Colour on a ground that goes over from one colour to another, among other things."""
    ground = _gradient(chance)
    _clutter(ground, chance, chance.randrange(1, 8))
    if chance.random() < 0.5:
        ground = _clouded(ground, chance)
    ground.paste(_clouded(_gradient(chance), chance), mask=mask)
    if chance.random() < 0.6:
        _clutter(ground, chance, chance.randrange(1, 4))
    return ground


def _drawn(mask: Image.Image, chance: Random) -> Image.Image:
    """Dark outlines on paper."""
    outline = mask.filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(3))
    paper = Image.new("RGB", mask.size, _colour(chance, 215, 256))
    ink = ImageChops.lighter(outline, mask) if chance.random() < 0.4 else outline
    paper.paste(_colour(chance, 0, 90), mask=ink)
    _clutter(paper, chance, chance.randrange(4), thin=True)
    return paper


def _printed(mask: Image.Image, chance: Random) -> Image.Image:
    """Two or three flat colours."""
    ground = Image.new("RGB", mask.size, _colour(chance))
    _clutter(ground, chance, chance.randrange(4))
    ground.paste(_colour(chance), mask=mask.point(lambda value: 255 * (value > 127)))
    return ground


def _colour(chance: Random, least: int = 0, most: int = 256) -> Colour:
    red, green, blue = (chance.randrange(least, most) for _ in range(3))
    return red, green, blue


def _gradient(chance: Random) -> Image.Image:
    small = Image.linear_gradient("L").resize((32, 32))
    ramp = small.rotate(chance.randrange(360), Image.Resampling.BILINEAR)
    colours = ImageOps.colorize(ramp, _colour(chance), _colour(chance))
    return colours.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def _clouded(image: Image.Image, chance: Random) -> Image.Image:
    """With soft noise of some coarseness, as most surfaces have it."""
    cells = chance.choice((6, 16, 48, 128))
    noise = Image.frombytes("RGB", (cells, cells), chance.randbytes(3 * cells * cells))
    soft = noise.resize(image.size, Image.Resampling.BICUBIC)
    return Image.blend(image, soft, chance.uniform(0.1, 0.45))


def _grainy(image: Image.Image, chance: Random) -> Image.Image:
    """With the noise of a sensor."""
    noise = Image.frombytes("RGB", image.size, chance.randbytes(3 * SIDE * SIDE))
    return Image.blend(image, noise, chance.uniform(0.02, 0.2))


def _clutter(image: Image.Image, chance: Random, n: int, *, thin: bool = False) -> None:
    """Lines and blots that belong to nothing."""
    draw = ImageDraw.Draw(image)
    for _ in range(n):
        ends = [(chance.uniform(0, SIDE), chance.uniform(0, SIDE)) for _ in range(2)]
        if thin or chance.random() < 0.6:
            draw.line(ends, fill=_colour(chance), width=2 if thin else chance.randrange(2, 12))
        else:
            (x, y), r = ends[0], chance.uniform(6, 45)
            draw.ellipse(
                (x - r, y - r * chance.uniform(0.4, 1), x + r, y + r), fill=_colour(chance)
            )
