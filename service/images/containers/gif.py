"""GIF files: blocks (GIF89a specification, section 12 and appendix A)."""

from __future__ import annotations

from service.images.containers.cleaned import MOST_PARTS, Cleaned, DamagedFile, UnsupportedFile

_EXTENSION, _IMAGE = 0x21, 0x2C
_CONTROL = 0xF9


def clean(content: bytes) -> Cleaned:
    """Keep the screen with its palette, and all from the first picture on, which is the one read.

    Of what comes before only its own control block is kept (transparency); comments, text and
    applications' data are walked over.

    Raises:
        DamagedFile: There is no picture.
        UnsupportedFile: It has more blocks before its picture than any program writes.
    """
    at = 13
    if len(content) > 10 and content[10] & 0x80:
        at += 3 << (content[10] & 7) + 1
    screen, control = content[:at], b""
    for _ in range(MOST_PARTS):
        introduced = content[at] if at < len(content) else -1
        if introduced == _IMAGE:
            return Cleaned(screen + control + content[at:])
        if introduced != _EXTENSION:
            # As decoders do: what is neither is passed over.
            at = _next_block(content, at + 1)
            continue
        start = at
        at = _after_blocks(content, at + 2)
        if content[start + 1 : start + 3] == bytes([_CONTROL, 4]):
            control = content[start : start + 7] + b"\0"
    raise UnsupportedFile(
        f"is a GIF of more than {MOST_PARTS} blocks before its first picture; save it anew."
    )


def _next_block(content: bytes, at: int) -> int:
    places = [p for p in (content.find(b"!", at), content.find(b",", at)) if p >= 0]
    if not places:
        raise DamagedFile("there is no picture in it")
    return min(places)


def _after_blocks(content: bytes, at: int) -> int:
    for _ in range(MOST_PARTS):
        if at >= len(content):
            raise DamagedFile("there is no picture in it")
        length = content[at]
        at += 1 + length
        if not length:
            return at
    raise UnsupportedFile(
        f"is a GIF with a comment of more than {MOST_PARTS} blocks; save it anew."
    )
