r"""``Content-Disposition`` of a form's parts: the name of a file, as its sender sees it.

Clients write it in different ways into ``Content-Disposition``, and none says which:

- raw UTF-8, with ``"``, CR and LF as ``%22``, ``%0D`` and ``%0A`` (WHATWG HTML,
  "multipart/form-data encoding algorithm": browsers, requests, httpx, curl since 7.81), all else
  literally;
- backslashes before ``"`` and backslashes (RFC 9110 quoted-pair: curl before, aiohttp unquoted);
- all of it percent-encoded (aiohttp), so that nothing but unreserved characters is left;
- ``filename*=UTF-8''...`` (RFC 8187: .NET, Spring, older urllib3), which wins where it is valid;
- encoded words (RFC 2047: .NET, Java's mail and Spring).
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from enum import StrEnum
from urllib.parse import unquote_to_bytes

_PARAMETER = re.compile(rb";[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*")
# Up to a quote that ends the value: one that another parameter or nothing follows.
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.|\\(?="[ \t]*(?:;|$)))*)"[ \t]*(?=;|$)', re.DOTALL)
_TOKEN = re.compile(rb"[^;]*")
_EXTENDED = re.compile(rb"([A-Za-z0-9!#$%&+^_`{}~-]+)'[A-Za-z0-9-]*'(.*)", re.DOTALL)
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_ALL_ENCODED = re.compile(rb"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*")
_WHATWG = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n", b"%0d": b"\r", b"%0a": b"\n"}
_WORD = rb"=\?[!-~]+?\?[BbQq]\?[ !->@-~]*\?="
_ENCODED_WORDS = re.compile(_WORD + rb"(?:\s*" + _WORD + rb")*")
_TEXTS = (
    "ascii", "utf-8", "utf_8", "iso8859", "cp", "gb", "big5", "euc", "johab", "koi8", "shift_jis",
    "mac", "tis",
)  # fmt: skip


class FileNameEncoding(StrEnum):
    """Encodings of file names in archives: those that systems pack with, by their codecs."""

    UTF_8 = "utf-8"
    ASCII = "ascii"
    GB18030 = "gb18030"
    GBK = "gbk"
    BIG5 = "big5"
    BIG5HKSCS = "big5hkscs"
    SHIFT_JIS = "shift_jis"
    CP932 = "cp932"
    EUC_JP = "euc_jp"
    CP949 = "cp949"
    EUC_KR = "euc_kr"
    CP437 = "cp437"
    CP720 = "cp720"
    CP737 = "cp737"
    CP775 = "cp775"
    CP850 = "cp850"
    CP852 = "cp852"
    CP855 = "cp855"
    CP857 = "cp857"
    CP858 = "cp858"
    CP862 = "cp862"
    CP866 = "cp866"
    CP874 = "cp874"
    CP1250 = "cp1250"
    CP1251 = "cp1251"
    CP1252 = "cp1252"
    CP1253 = "cp1253"
    CP1254 = "cp1254"
    CP1255 = "cp1255"
    CP1256 = "cp1256"
    CP1257 = "cp1257"
    CP1258 = "cp1258"
    KOI8_R = "koi8-r"
    KOI8_U = "koi8-u"
    ISO8859_1 = "iso8859-1"
    ISO8859_2 = "iso8859-2"
    ISO8859_5 = "iso8859-5"
    ISO8859_6 = "iso8859-6"
    ISO8859_7 = "iso8859-7"
    ISO8859_8 = "iso8859-8"
    ISO8859_9 = "iso8859-9"
    ISO8859_15 = "iso8859-15"
    MAC_ROMAN = "mac-roman"


@dataclass(frozen=True, slots=True)
class Disposition:
    """The parameters of a part's ``Content-Disposition``.

    Attributes:
        name: Of the form's field.
        filename: The file's name; bytes where they are neither UTF-8 nor in the form's charset;
            None where there is none.
    """

    name: str | None
    filename: str | bytes | None


def read_disposition(header: bytes, charset: str = "utf-8") -> Disposition:
    """Read a part's header; whatever it holds, something comes out.

    Args:
        header: The value.
        charset: What the form says that its texts are in.
    """
    parameters = _parameters(header)
    name = parameters.get(b"name")
    field = None if name is None else _decoded(name, charset)
    if isinstance(field, bytes):
        field = field.decode("latin-1")
    extended = _extended(parameters.get(b"filename*"))
    if extended is not None:
        return Disposition(field, extended)
    plain = parameters.get(b"filename")
    return Disposition(field, None if plain is None else _plain(plain, charset))


def _parameters(header: bytes) -> dict[bytes, bytes]:
    """All parameters, the first of each name; quotes are taken off and quoted pairs undone."""
    found: dict[bytes, bytes] = {}
    at = header.find(b";")
    while at >= 0 and (parameter := _PARAMETER.match(header, at)):
        at = parameter.end()
        if quoted := _QUOTED.match(header, at):
            value, at = _unescaped(quoted[1]), quoted.end()
        else:
            token = _TOKEN.match(header, at)
            value, at = (token[0].strip(), token.end()) if token else (b"", len(header))
            value = value.strip(b'"')
        found.setdefault(parameter[1].lower(), value)
        at = header.find(b";", at)
    return found


def _unescaped(value: bytes) -> bytes:
    """Undo quoted pairs, where that is what the backslashes are: in Windows' paths they are not."""
    if re.fullmatch(rb'(?:[^\\]|\\["\\])*', value, re.DOTALL):
        return re.sub(rb'\\(["\\])', rb"\1", value)
    return value.replace(b'\\"', b'"')


def _extended(value: bytes | None) -> str | None:
    """RFC 8187: charset, language and percent-encoded bytes; None where it is not that."""
    if value is None or (parts := _EXTENDED.fullmatch(value)) is None:
        return None
    if (codec := _text_codec(parts[1].decode("ascii"))) is None:
        return None
    try:
        return unquote_to_bytes(parts[2]).decode(codec)
    except UnicodeDecodeError:
        return None


def _plain(value: bytes, charset: str) -> str | bytes:
    if _ENCODED_WORDS.fullmatch(value) and (words := _encoded_words(value)) is not None:
        return words
    if _PERCENT.search(value) and _ALL_ENCODED.fullmatch(value):
        try:
            return unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            pass
    return _decoded(_PERCENT.sub(lambda found: _WHATWG.get(found[0], found[0]), value), charset)


def _encoded_words(value: bytes) -> str | None:
    try:
        return "".join(
            piece.decode(_text_codec(charset or "ascii") or "ascii")
            if isinstance(piece, bytes)
            else piece
            for piece, charset in decode_header(value.decode("ascii"))
        )
    except (HeaderParseError, UnicodeDecodeError, LookupError, ValueError):
        return None


def _decoded(value: bytes, charset: str) -> str | bytes:
    for codec in ("utf-8", charset):
        try:
            return value.decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
    return value


def text_charset(name: bytes | None) -> str:
    """The codec that a form names, if it is one of texts; UTF-8 otherwise."""
    return (name and _text_codec(name.decode("latin-1"))) or "utf-8"


def _text_codec(name: str) -> str | None:
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    # Others, as unicode_escape or utf-16, make anything of anything.
    return codec if codec.startswith(_TEXTS) else None
