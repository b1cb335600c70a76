"""Font fallback by coverage: the fewest families of fonts that have every character of some texts.

matplotlib shapes text with libraqm (bidirectional order, joined letters, ligatures) and takes, for
each cluster that a family lacks, the next family in the list. What no family has it draws as a box,
with a warning; hence fonts are looked at beforehand. They are asked in this order:

1. DejaVu Sans, which comes with matplotlib: Latin, Greek, Cyrillic, Arabic, Hebrew and others;
2. the Noto fonts of two ordinary packages, under the SIL Open Font License: ``manimgx-fonts`` (22
   scripts, symbols and monochrome emoji) and ``noto-cjk-sans-jp-regular`` (Chinese, Japanese and
   Korean);
3. what else the system has.

Nothing but a list of families comes of it: no ``rcParams`` are changed. Texts that DejaVu Sans
covers open no other font.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path

import matplotlib as mpl
import regex
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font

BASE = "DejaVu Sans"
_GRAPHEME = regex.compile(r"\X")
# Joiners, variation selectors and the like: shaping hides them where a font lacks them.
_IGNORABLE = regex.compile(r"\p{Default_Ignorable_Code_Point}")
# Fonts that have a placeholder for every character, and glyphs of colour alone.
_NO_TEXT = regex.compile(r"last ?resort|blank|color|colour", regex.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Face:
    """Font face: its family, the path of its file and its index in a collection."""

    family: str
    path: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of some texts by fonts.

    Attributes:
        families: Families in the order in which they are to be tried.
        missing: Graphemes that no font has.
    """

    families: tuple[str, ...]
    missing: frozenset[str]


def graphemes(text: str) -> list[str]:
    """Extended grapheme clusters (UAX #29): what readers take for one character."""
    clusters: list[str] = _GRAPHEME.findall(text)
    return clusters


def coverage(texts: Iterable[str]) -> Coverage:
    """Coverage: the families that draw all texts, and what none can draw."""
    wanted = {grapheme for text in texts for grapheme in graphemes(text)}
    return _coverage(frozenset(one for one in wanted if not _visible(one) <= _base()))


@lru_cache(32)
def _coverage(wanted: frozenset[str]) -> Coverage:
    families, missing = [BASE], set(wanted)
    for face in _faces() if wanted else ():
        if not missing:
            break
        covered = _covered(face, missing)
        if covered:
            families.append(face.family)
            missing -= covered
    return Coverage(tuple(families), frozenset(missing))


def _visible(grapheme: str) -> set[str]:
    return set(_IGNORABLE.sub("", grapheme))


def _covered(face: Face, wanted: Iterable[str]) -> set[str]:
    """Those graphemes all of whose characters are in the font; none if it cannot be read."""
    try:
        font = FT2Font(face.path, face_index=face.index)
    except (OSError, RuntimeError):
        return set()
    return {one for one in wanted if all(font.get_char_index(ord(c)) for c in _visible(one))}


@cache
def _base() -> frozenset[str]:
    font = FT2Font(str(_own() / "DejaVuSans.ttf"))
    return frozenset(map(chr, font.get_charmap()))


def _own() -> Path:
    return Path(mpl.get_data_path(), "fonts", "ttf")


def _faces() -> Iterator[Face]:
    yield from _packaged()
    seen = {BASE, *(face.family for face in _packaged())}
    for entry in list(fontManager.ttflist):
        known = entry.name in seen or entry.style != "normal" or _NO_TEXT.search(entry.name)
        # matplotlib's others are for formulas, with code points of their own.
        if not known and not Path(entry.fname).is_relative_to(mpl.get_data_path()):
            seen.add(entry.name)
            yield Face(entry.name, entry.fname, entry.index)


@cache
def _packaged() -> tuple[Face, ...]:
    """The fonts of the packages; matplotlib finds them by their families from now on."""
    faces = []
    for package in ("manimgx_fonts", "noto_cjk_sans_jp_regular"):
        for file in sorted(files(package).iterdir(), key=lambda file: file.name):
            upright = file.name.endswith((".ttf", ".otf")) and "Italic" not in file.name
            if upright:
                fontManager.addfont(str(file))
                faces.append(Face(FT2Font(str(file)).family_name, str(file)))
    return tuple(faces)
