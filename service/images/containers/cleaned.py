"""Metadata stripping: a file without its metadata, and the little of them that counts."""

from __future__ import annotations

from dataclasses import dataclass

MOST_ICC = 4 * 2**20
"""Bytes of a colour profile; those of printers have up to three million."""

MOST_PARTS = 100_000
"""Segments, chunks or blocks of a file; ordinary ones have fewer than ten thousand."""


class DamagedFile(ValueError):
    """The file cannot be decoded; says why."""


class UnsupportedFile(ValueError):
    """The file is of a kind that is not taken; goes on after its name and says how to mend it."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What the numbers of a TIFF file mean.

    Attributes:
        bits: Of a sample.
        kind: SampleFormat: 1 unsigned, 2 signed, 3 floating point.
        white_is_zero: PhotometricInterpretation 0.
        low: The number that is shown black, where the file says so.
        high: The number that is shown white.
    """

    bits: int = 8
    kind: int = 1
    white_is_zero: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What decoders get, and what is done without them.

    Attributes:
        content: The file without its metadata.
        icc: Its colour profile, unpacked; None without one, or where it is damaged or too large.
        orientation: EXIF's, 1 to 8: how the picture is to be turned.
        size: Width and height, where they are known without a decoder.
        samples: Of TIFF files.
        animated: Whether it is an animation, where that matters to the decoder.
    """

    content: bytes
    icc: bytes | None = None
    orientation: int = 1
    size: tuple[int, int] | None = None
    samples: Samples | None = None
    animated: bool = False


def capped(profile: bytes) -> bytes | None:
    """The profile, or None where it is empty or too large."""
    return profile if 0 < len(profile) <= MOST_ICC else None
