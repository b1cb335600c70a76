"""Which code page names have that do not say so.

A charset detector's job (chardet: bigrams of many languages), with two additions. Readings with
signs that no name has (unassigned, box drawing, control characters) do not count, and a reading
is only taken where it is clearly the likeliest: a label is also a prompt, so a wrong one does
harm in silence, while a refusal shows the readings and says how to choose. How often that is
right: ``python -m tests.campaigns.code_pages`` (docs/uploads.md).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex

# What archives of Windows and of older systems are written in.
CODE_PAGES = (
    "gb18030", "big5hkscs", "cp932", "cp949",
    "cp437", "cp850", "cp1252", "cp852", "cp1250", "cp866", "cp1251", "koi8-r", "cp737", "cp1253",
    "cp857", "cp1254", "cp862", "cp1255", "cp720", "cp1256", "cp874",
)  # fmt: skip
# How many times as likely as the next one a reading has to be, by the bytes beyond ASCII that
# speak for it: (at least so many bytes, at least so many times). Chosen with the campaign.
_MARGINS = ((20, 1.2), (16, 1.5), (8, 2.0), (4, 4.0), (0, 8.0))
_SHOWN = 4
# Bytes that are looked at; more would not change the answer.
_ENOUGH = 20_000
# Alphabets do not change within a word.
_MIXED = regex.compile(
    r"\p{Latin}(?=[\p{Greek}\p{Cyrillic}\p{Hebrew}\p{Arabic}\p{Thai}])"
    r"|[\p{Greek}\p{Cyrillic}\p{Hebrew}\p{Arabic}\p{Thai}](?=\p{Latin})"
)
_NO_NAMES = {"Cc", "Cf", "Cn", "Co", "Cs", "Sc", "Sk", "Sm", "So"}


class CodePageError(ValueError):
    """It cannot be told which code page names have; the message shows how each reads them."""


def choose_code_page(names: Sequence[bytes]) -> str:
    """The code page in which names read like words, all of them together.

    Args:
        names: Of one archive, with folders separated by ``/``; not UTF-8.

    Returns:
        A codec of Python's, one of `CODE_PAGES`.

    Raises:
        CodePageError: Several fit about as well, or none does.
    """
    # Takes 0.1 s to load, which nobody with UTF-8 waits for.
    from chardet import detect_all

    words = _words(names)
    data = b"\n".join(words)
    found = detect_all(
        data,
        ignore_threshold=True,
        compat_names=False,
        include_encodings=CODE_PAGES,
        empty_input_encoding=CODE_PAGES[0],  # of no account, but it has to be one of them
    )
    readings: dict[tuple[str, ...], tuple[float, str]] = {}
    for each in found:
        encoding, confidence = each["encoding"], each["confidence"]
        if encoding is None or (reading := _reading(words, encoding)) is None:
            continue
        # All of them, too: those that were left out above may be in other pages.
        if not any(_decodes(name, encoding) is None for name in names):
            readings[reading] = max(readings.get(reading, (0.0, "")), (confidence, encoding))
    ranked = sorted(((*found, reading) for reading, found in readings.items()), reverse=True)
    if not ranked:
        raise CodePageError(
            "Names of files are neither UTF-8 nor in a known code page. Write the archive with "
            "UTF-8 names, or say their encoding: ?filename_encoding=gb18030, for instance."
        )
    beyond = sum(byte > 127 for word in words for byte in word)
    margin = next(times for least, times in _MARGINS if beyond >= least)
    if len(ranked) == 1 or ranked[0][0] >= margin * ranked[1][0]:
        return ranked[0][1]
    shown = "; ".join(
        f"{encoding}: {', '.join(map(repr, reading[:3]))}"
        for _, encoding, reading in ranked[:_SHOWN]
    )
    raise CodePageError(
        "Names of files are not UTF-8, and it cannot be told which code page they are in. They "
        f"may read, in {shown}. Send the right one as ?filename_encoding={ranked[0][1]}, or write "
        "the archive with UTF-8 names."
    )


def _words(names: Sequence[bytes]) -> list[bytes]:
    """Folders and files with bytes beyond ASCII, each once."""
    words: dict[bytes, None] = {}
    size = 0
    for name in names:
        for word in name.split(b"/"):
            if not word.isascii() and word not in words:
                words[word] = None
                size += len(word)
        if size > _ENOUGH:
            break
    return list(words)


def _reading(words: Sequence[bytes], encoding: str) -> tuple[str, ...] | None:
    decoded = [_decodes(word, encoding) for word in words]
    read = tuple(word for word in decoded if word is not None)
    if len(read) < len(decoded) or any(map(_MIXED.search, read)):
        return None
    return None if any(unicodedata.category(c) in _NO_NAMES for w in read for c in w) else read


def _decodes(name: bytes, encoding: str) -> str | None:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return None
