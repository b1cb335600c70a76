"""Bodies that are no JSON: pictures, zips, forms and files, whole and mutated, made once."""

from __future__ import annotations

import random
import struct
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.campaigns import uploads
from tests.campaigns.images import mutated, originals
from tests.service.exchange.files import made, written
from tests.service.pictures import picture, zipped

# Bytes of a picture, and of what holds several: most requests are to cost little.
_LARGEST_PICTURE, _LARGEST = 30_000, 120_000


@dataclass(frozen=True, slots=True)
class Bodies:
    """Pools to draw from.

    Attributes:
        whole: Pictures that are taken.
        pictures: Pictures of all formats, most of them mutated.
        zips: Likewise; so are the others.
        forms: With the boundary ``X``.
        files: Of classifiers.
        tensors: safetensors, as prompts are.
    """

    whole: Sequence[bytes]
    pictures: Sequence[bytes]
    zips: Sequence[bytes]
    forms: Sequence[bytes]
    files: Sequence[bytes]
    tensors: Sequence[bytes]

    def of(self, media_type: str, draw: random.Random) -> bytes:
        """A body that is said to be of a media type."""
        if "zip" in media_type and "vnd" not in media_type:
            return draw.choice(self.zips)
        if media_type.startswith("multipart/"):
            return draw.choice(self.forms)
        if "classifier" in media_type:
            return draw.choice(self.files)
        if "prompts" in media_type:
            return draw.choice(self.tensors)
        return draw.choice(self.pictures)

    @classmethod
    def drawn(cls, seed: int, number: int) -> Bodies:
        """Pools of so many each; the same seed gives the same.

        Args:
            seed: Decides.
            number: Of pictures; of zips and forms a fifth.
        """
        draw = random.Random(f"bodies {seed}")
        few = max(number // 5, 10)
        pictures = [mutated(seed, one)[1] for one in range(number)]
        pictures += [content for _, content in originals()]
        file, tensors = written(made()), _tensors()
        return cls(
            whole=[picture(one) for one in range(8)],
            pictures=_small(pictures, _LARGEST_PICTURE),
            zips=[*_several(uploads.bad_zip, draw, few), b"", _overlapping()],
            forms=[*_several(uploads.bad_form, draw, few), b"", _nested()],
            files=[file, *(_damaged(file, draw) for _ in range(few))],
            tensors=[tensors, *(_damaged(tensors, draw) for _ in range(few))],
        )


def _small(contents: Sequence[bytes], most: int) -> list[bytes]:
    return [one for one in contents if len(one) <= most]


def _several(
    make: Callable[[random.Random], bytes], draw: random.Random, number: int
) -> list[bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zips in which a name is there twice
        return _small([make(draw) for _ in range(number)], _LARGEST)


def _damaged(content: bytes, draw: random.Random) -> bytes:
    return uploads.mutated(draw, content, uploads.places(content, b"PK", b"{", b"\n"))


def _tensors() -> bytes:
    """A header that may be that of prompts, and some numbers."""
    header = b'{"__metadata__":{"format":"handful-prompts"},"text":{"dtype":"F32","shape":[2,4],'
    header += b'"data_offsets":[0,32]}}'
    return struct.pack("<Q", len(header)) + header + bytes(32)


def _nested() -> bytes:
    """A form within a form, of the same boundary."""
    part = b'--X\r\nContent-Disposition: form-data; name="f"; filename="1.png"\r\n'
    inner = part + b"Content-Type: multipart/mixed; boundary=X\r\n\r\n"
    return inner * 3 + picture(1) + b"\r\n--X--\r\n" * 3


def _overlapping() -> bytes:
    """A zip whose directory has each entry a hundred times: one picture, told as a hundred."""
    whole = zipped({"ant/1.png": picture(1)})
    end = whole.rindex(b"PK\5\6")
    begin = whole.index(b"PK\1\2")
    entries = whole[begin:end] * 100
    tail = bytearray(whole[end:])
    struct.pack_into("<HHI", tail, 8, 100, 100, len(entries))
    return whole[:begin] + entries + bytes(tail)
