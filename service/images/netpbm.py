"""PBM, PGM, PPM (netpbm's manual pages of these names) and PFM, read with NumPy.

Pillow reads the plain ones and those of unusual depth in Python, number by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from service.images.bit_depth import Numbers, scaling
from service.images.containers.cleaned import DamagedFile, Samples

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r]?)*([^\s#]{1,20})")
_COMMENT = re.compile(rb"#[^\n\r]*")
_ROWS = 2**18
"""Numbers that are scaled at a time."""


class Netpbm:
    """A picture of this family, of which the header is read.

    Attributes:
        size: Width and height.

    Raises:
        DamagedFile: The header is none.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._letter = content[1:2]
        self._at = 2
        width, height = self._whole(), self._whole()
        self.size = (width, height)
        self._channels = 3 if self._letter in b"36F" else 1
        self._most = 1
        self._little = False
        if self._letter in b"fF":
            try:
                self._little = float(self._token()) < 0
            except ValueError as error:
                raise DamagedFile("its header has no scale") from error
        elif self._letter not in b"14":
            self._most = self._whole()
            if self._most > 65535:
                raise DamagedFile(
                    f"its largest value is {self._most}; 65535 is the most that can be"
                )
        self._at += 1

    def load(self) -> Image.Image:
        """Return the picture, grey or RGB.

        Raises:
            DamagedFile: It has fewer pixels than its header says, or others than numbers.
        """
        width, height = self.size
        if self._letter == b"4":
            row = (width + 7) // 8
            bits = self._binary(np.dtype(np.uint8), row * height).reshape(height, row)
            return Image.fromarray((1 - np.unpackbits(bits, axis=1, count=width)) * np.uint8(255))
        count = width * height * self._channels
        if self._letter in b"fF":
            numbers = self._binary(np.dtype("<f4" if self._little else ">f4"), count)
            return self._shown(numbers, Samples(32, 3))[1]
        if self._letter in b"56":
            deep = np.dtype(">u2" if self._most > 255 else np.uint8)
            numbers = self._binary(deep, count)
        elif self._letter == b"1":
            numbers = self._plain_bits(count)
        else:
            numbers = self._plain(count)
        return self._shown(numbers, Samples(16, 2, low=0, high=self._most))[0]

    def _shown(self, numbers: Numbers, samples: Samples) -> tuple[Image.Image, ...]:
        width, height = self.size
        shape = (height, width, 3) if self._channels == 3 else (height, width)
        if numbers.dtype == np.uint8 and self._most == 255:
            picture = Image.fromarray(numbers.reshape(shape))
            return picture, picture
        scale = scaling(samples, _pieces(numbers))
        levels = np.concatenate([scale(piece) for piece in _pieces(numbers)]).reshape(shape)
        picture = Image.fromarray(levels)
        # Rows of floating-point pictures come from the lowest to the uppermost.
        return picture, picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)

    def _token(self) -> bytes:
        found = _TOKEN.match(self._content, self._at)
        if found is None:
            raise DamagedFile("its header is cut short")
        self._at = found.end()
        return found[1]

    def _whole(self) -> int:
        token = self._token()
        if not token.isdigit() or int(token) == 0:
            raise DamagedFile(f"its header has {token[:20]!r} where a positive number belongs")
        return int(token)

    def _binary(self, kind: np.dtype[Any], count: int) -> Numbers:
        if len(self._content) - self._at < kind.itemsize * count:
            raise DamagedFile("it has fewer pixels than its header says")
        return np.frombuffer(self._content, kind, count, self._at)

    def _text(self) -> bytes:
        return _COMMENT.sub(b"", self._content[self._at :])

    def _plain(self, count: int) -> Numbers:
        text = self._text()
        if not text.strip() or text.translate(None, b"0123456789 \t\r\n\v\f"):
            raise DamagedFile("it has other than numbers where its pixels belong")
        numbers = np.fromstring(text, np.uint32, sep=" ")[:count]
        if len(numbers) < count:
            raise DamagedFile("it has fewer pixels than its header says")
        return np.minimum(numbers, self._most).astype(np.uint16)

    def _plain_bits(self, count: int) -> Numbers:
        digits = self._text().translate(None, b" \t\r\n\v\f")[:count]
        if digits.translate(None, b"01"):
            raise DamagedFile("it has other than 0 and 1 where its pixels belong")
        if len(digits) < count:
            raise DamagedFile("it has fewer pixels than its header says")
        return (np.uint8(ord("1")) - np.frombuffer(digits, np.uint8)).astype(np.uint8)


def _pieces(numbers: Numbers) -> Iterator[Numbers]:
    for start in range(0, len(numbers), _ROWS):
        yield numbers[start : start + _ROWS]
