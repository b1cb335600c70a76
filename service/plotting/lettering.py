"""Lettering of pictures in any script: font fallback, widths, code points for missing glyphs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import TypedDict

import regex
import wcwidth

from service.plotting.fonts import coverage, graphemes

_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_HAN = regex.compile(r"\p{Han}")
# Direction is that of the line, not of its first letter; and a name does not reorder what is
# beside it (UAX #9: left-to-right mark, first strong isolate, pop directional isolate).
_LEFT_TO_RIGHT, _ISOLATE, _END = "\u200e", "\u2068", "\u2069"


class TextStyle(TypedDict):
    """Properties of a ``matplotlib.text.Text``."""

    fontfamily: list[str]
    language: str | None
    parse_math: bool


@dataclass(frozen=True, slots=True)
class Lettering:
    """Lettering of a picture: font fallback and language of its texts.

    Attributes:
        families: Families of fonts, each for what those before it lack.
        language: Whose forms of Han characters are drawn (BCP 47); None where there are none.
        missing: Graphemes that no font has.
    """

    families: tuple[str, ...]
    language: str | None
    missing: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Lettering:
        """Font fallback and language for all texts that are going to be drawn.

        Unicode gives Chinese and Japanese forms of a character the same code point. Where any text
        has kana, all are taken for Japanese, otherwise for Chinese.
        """
        texts = list(texts)
        fonts = coverage(texts)
        language = None
        if any(map(_HAN.search, texts)):
            language = "ja" if any(map(_KANA.search, texts)) else "zh-Hans"
        return cls(fonts.families, language, fonts.missing)

    @property
    def style(self) -> TextStyle:
        """What matplotlib's text takes; dollars begin no formula in it."""
        return {
            "fontfamily": list(self.families),
            "language": self.language,
            "parse_math": False,
        }

    def draws(self, text: str) -> bool:
        """Whether some font has a glyph for each grapheme of the text."""
        return self.missing.isdisjoint(graphemes(text))

    def with_code_points(self, text: str) -> str:
        """The text, with code points (``U+A9A7``) for what cannot be drawn."""
        parts = []
        for missing, run in groupby(graphemes(text), self.missing.__contains__):
            written = "".join(run)
            parts.append(code_points(written) if missing else written)
        return "".join(parts)


def code_points(text: str) -> str:
    """The characters of a text as ``U+A9A7 U+A9A0``."""
    return " ".join(f"U+{ord(character):04X}" for character in text)


def shortened(text: str, cells: int) -> str:
    """Truncate between graphemes to a width, with an ellipsis, where it is longer.

    Args:
        text: In any script.
        cells: Width in columns of a terminal: 1 for a Latin letter, 2 for a Han character.
    """
    if wcwidth.width(text, control_codes="ignore") <= cells:
        return text
    head, room = [], cells - 1
    for grapheme in graphemes(text):
        room -= wcwidth.width(grapheme, control_codes="ignore")
        if room < 0:
            break
        head.append(grapheme)
    return "".join([*head, "…"])


def wrapped(text: str, cells: int) -> list[str]:
    """Line breaking at a width; lines run from left to right whatever they begin with."""
    lines = wcwidth.wrap(text, cells, control_codes="ignore")
    return [line if line.isascii() else _LEFT_TO_RIGHT + line for line in lines]


def joined_left_to_right(*names: str, by: str) -> str:
    """Bidirectional isolation (UAX #9): names from left to right, each in its own direction."""
    if all(name.isascii() for name in names):
        return by.join(names)
    return _LEFT_TO_RIGHT + by.join(f"{_ISOLATE}{name}{_END}" for name in names)
