"""Name validation: which names classifiers and classes may have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import regex

from service.problems import InvalidName

#: Regular expression of the names of classifiers; each is written as itself in a path.
CLASSIFIER = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
#: The label of explicit negatives, which no image is ever answered with.
NOT_THESE = "not-these"
_MAX_LABEL = 255
# Normalisation sorts combining characters in quadratic time, and takes four characters at most for
# one that stays.
_MAX_DECOMPOSED = 4 * _MAX_LABEL

_SPACES = regex.compile(r"^\p{Zs}+|\p{Zs}+$")
# What is seen is decided by the Unicode tables of `regex`, which are newer than the interpreter's.
# Some characters are seen only by what they do to others, and are let through where they do it:
# - an emoji with the tags of a flag (England);
# - joiners between emoji, and in words of scripts whose letters join or have a virama;
# - variation selectors after what they vary, marks and format signs that belong to their script.
_ALONE = (
    r"\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}\p{Georgian}\p{Hebrew}\p{Han}\p{Hiragana}"
    r"\p{Katakana}\p{Hangul}\p{Bopomofo}\p{Common}"
)
_ACTS = (
    r"\p{Extended_Pictographic}[\U000E0020-\U000E007E]+\U000E007F"
    r"|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])\u200D(?=\p{Extended_Pictographic})"
    rf"|(?<=[\p{{L}}\p{{M}}])(?<![{_ALONE}])[\u200C\u200D]"
    r"|(?<=[\p{L}\p{M}\p{N}\p{S}\p{P}])\p{Variation_Selector}(?!\p{Variation_Selector})"
    r"|\p{Prepended_Concatenation_Mark}|[\p{Egyptian_Hieroglyphs}&&\p{Cf}]"
)
_HIDDEN = regex.compile(
    rf"(?:{_ACTS})(*SKIP)(*FAIL)|[\p{{C}}\p{{Zl}}\p{{Zp}}\p{{Default_Ignorable_Code_Point}}]",
    regex.VERSION1,
)
# Letters, numbers and signs; marks that take a place of their own. Not U+2800, an empty pattern.
_SEEN = regex.compile(
    r"[[\p{L}\p{N}\p{P}\p{S}\p{Mc}\p{Cf}]--[\u2800\p{Default_Ignorable_Code_Point}]]",
    regex.VERSION1,
)


def checked_classifier(name: str) -> str:
    """Return a classifier's name if it can be used.

    Raises:
        InvalidName: It is not 1 to 64 of ``A-Z a-z 0-9 . _ -`` beginning with a letter or digit.
    """
    if not re.fullmatch(CLASSIFIER, name):
        raise InvalidName(
            f"{name!r} cannot name a classifier. Use 1 to 64 letters, digits, '.', '_' or '-' "
            "(unaccented), beginning with a letter or digit."
        )
    return name


def checked_label(label: str) -> str:
    """Return a class label in Unicode normal form C, without surrounding spaces.

    Raises:
        InvalidName: It is empty, too long, has slashes, or characters that cannot be seen: control
            characters, bidirectional overrides, surrogates, private use and unassigned ones, and
            whatever shows nothing where it stands.
    """
    label = as_written(label)
    if not label or len(label) > _MAX_LABEL:
        raise InvalidName(f"A label has 1 to {_MAX_LABEL} characters; this one has {len(label)}.")
    if label in {".", ".."} or "/" in label or "\\" in label:
        raise InvalidName(f"{label!r} cannot be a label: slashes, '.' and '..' mean folders.")
    if "\ufffd" in label:
        raise InvalidName(f"{label!r} cannot be a label: it was not sent as UTF-8.")
    if hidden := _HIDDEN.search(label):
        raise InvalidName(
            f"{label!r} cannot be a label: it has the invisible character {_named(hidden[0])}."
        )
    if not _SEEN.search(label):
        raise InvalidName(
            f"{label!r} cannot be a label: nobody can see it. It consists of "
            f"{', '.join(map(_named, dict.fromkeys(label[:5])))}."
        )
    return label


def checked_labels(labels: Iterable[str]) -> list[str]:
    """Return the labels of one image, each once, as :func:`checked_label` does.

    Raises:
        InvalidName: One cannot be used, or explicit negatives are to have a label.
    """
    found = list(dict.fromkeys(map(checked_label, labels)))
    if NOT_THESE in found and len(found) > 1:
        raise InvalidName(f"{NOT_THESE} shows none of the classes; it stands alone.")
    return found


def as_written(label: str) -> str:
    """Return a label in the form that it is stored in, whether it may be one or not.

    Raises:
        InvalidName: It is much too long.
    """
    if len(label) > _MAX_DECOMPOSED:
        raise InvalidName(f"A label has 1 to {_MAX_LABEL} characters; this one has {len(label)}.")
    return _SPACES.sub("", unicodedata.normalize("NFC", label))


def _named(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name})" if name else "")
