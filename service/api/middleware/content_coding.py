"""Content coding of request bodies: a streaming decoder (RFC 9110, section 8.4)."""

from __future__ import annotations

import zlib

from service.problems import InvalidUpload, UnsupportedMediaType

CODINGS = ("gzip", "deflate")

# Most bytes that come out at a time, whatever a few bytes stand for.
_PIECE = 2**16
# Compressed bytes that are looked at in one call. zlib copies what it leaves of them.
_LOOK = 2**12
_GZIP, _ZLIB, _RAW = 31, 15, -15


def coding(header: str) -> str | None:
    """The coding that a ``Content-Encoding`` header names; None for none.

    Raises:
        UnsupportedMediaType: Another one than those that are taken, or several.
    """
    named = [one.strip().lower() for one in header.split(",")]
    named = [one for one in named if one not in {"", "identity"}]
    if not named:
        return None
    if len(named) == 1 and named[0].removeprefix("x-") in CODINGS:
        return named[0].removeprefix("x-")
    raise UnsupportedMediaType(
        f"The Content-Encoding is {header[:100]!r}. Send the body as it is, or compressed once "
        f"with {' or '.join(CODINGS)}.",
        headers={"accept-encoding": ", ".join(CODINGS)},
    )


class StreamDecoder:
    """Decodes gzip (RFC 1952, any number of members) or deflate (RFC 1950; also 1951, as sent).

    Memory is bounded by what was fed last and one piece, time by what was fed and what comes out.
    """

    def __init__(self, named: str) -> None:
        self._named = named
        self._zlib: zlib._Decompress | None = None
        self._fed = b""
        self._at = 0
        self._more = False  # zlib may hold output back
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Give it more of the body, once :meth:`piece` has nothing left of what was fed before."""
        self._fed, self._at = data, 0

    def piece(self) -> bytes:
        """The next decoded bytes, 64 KiB at most; none if it has to be fed first.

        Raises:
            InvalidUpload: The body is damaged.
        """
        while self._more or self._at < len(self._fed):
            looked = self._fed[self._at : self._at + _LOOK]
            if self._zlib is None:
                skipped = self._begin(looked)
                if self._zlib is None:
                    self._at += skipped
                    continue
            decoder = self._zlib
            try:
                out = decoder.decompress(looked, _PIECE)
            except zlib.error as error:
                raise self._damaged(str(error)) from error
            # What lies behind the end of a member zlib may name as both.
            left = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            self._at += len(looked) - len(left)
            self._more = len(out) == _PIECE
            if decoder.eof:
                self._zlib, self._more, self._ended = None, False, True
            if out:
                return out
        return b""

    def finish(self) -> None:
        """See that what was fed is whole.

        Raises:
            InvalidUpload: Its end is missing.
        """
        if self._zlib is not None:
            raise self._damaged("it is cut short")

    def _begin(self, looked: bytes) -> int:
        """Begin a member; returns how many bytes of padding are to be skipped before it."""
        if self._named == "gzip":
            if self._ended and not looked.strip(b"\0"):
                return len(looked)
            self._zlib = zlib.decompressobj(_GZIP)
            return 0
        if self._ended:
            raise self._damaged("there is something behind its end")
        # What zlib writes begins with its method, 8, in four bits; many send deflate without it.
        self._zlib = zlib.decompressobj(_ZLIB if looked[0] & 15 == 8 else _RAW)
        return 0

    def _damaged(self, why: str) -> InvalidUpload:
        return InvalidUpload(
            f"The body cannot be decoded as {self._named}, which its Content-Encoding says it is: "
            f"{why}. Send it as it is, without that header."
        )
