"""Names in a zip archive, as its sender sees them.

An archive says only of names in UTF-8 which encoding they have (APPNOTE.TXT 6.3.10, 4.4.4, bit
11), and many writers do not say so: those of macOS never do, and Windows writes the code page of
its language.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from zipfile import ZipInfo

from service.archives.code_pages import CodePageError, choose_code_page

_UTF8 = 0x800
_UNICODE_PATH = 0x7075
# What zipfile decodes names without the flag by; it knows all 256 bytes.
ZIPFILE_ENCODING = "cp437"

__all__ = ["CodePageError", "decode_names", "member_names"]


def member_names(infos: Sequence[ZipInfo], encoding: str | None = None) -> list[str]:
    """The names of members, in their order.

    Args:
        infos: As zipfile reads them.
        encoding: Of the names that do not say that they are UTF-8.

    Raises:
        CodePageError: It cannot be told which encoding they have.
    """
    raw: dict[int, bytes] = {}
    names: list[str] = []
    for place, info in enumerate(infos):
        name = info.orig_filename
        if not info.flag_bits & _UTF8 and (info.extra or not name.isascii()):
            written = name.encode(ZIPFILE_ENCODING)
            if (told := _unicode_path(info.extra, written)) is not None:
                name = told
            elif not name.isascii():
                raw[place] = written
        names.append(name)
    decoded = decode_names(list(raw.values()), encoding)
    for place, name in zip(raw, decoded, strict=True):
        names[place] = name
    return names


def decode_names(raw: Sequence[bytes], encoding: str | None = None) -> list[str]:
    """Decode names that one sender wrote: by the given encoding, as UTF-8, or as what fits all.

    Args:
        raw: Names of one archive or one form.
        encoding: A codec of Python's; decides all of them.

    Raises:
        CodePageError: They are not in that encoding, or it cannot be told which one they have.
    """
    if not raw:
        return []
    if encoding is None:
        try:
            return [name.decode() for name in raw]
        except UnicodeDecodeError:
            encoding = choose_code_page(raw)
    try:
        return [name.decode(encoding) for name in raw]
    except UnicodeDecodeError as error:
        raise CodePageError(
            f"The file name {error.object[:100]!r} is not in {encoding}: {error.reason} at byte "
            f"{error.start}. Send another filename_encoding, or none."
        ) from error


def _unicode_path(extra: bytes, written: bytes) -> str | None:
    """The name in Info-ZIP's Unicode Path extra field (APPNOTE.TXT 4.6.9), if it is of this name.

    It carries the CRC of the name that it belongs to.
    """
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            if struct.unpack_from("<I", field, 1)[0] != zlib.crc32(written):
                return None
            try:
                return field[5:].decode()
            except UnicodeDecodeError:
                return None
    return None
