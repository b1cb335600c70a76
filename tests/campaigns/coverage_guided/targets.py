# ruff: noqa: E501 - tables
"""Targets: parsers of hostile bytes, each with seeds, and what they may do with any bytes.

A target returns, or ends with an error that its callers make a refusal of; any other is a defect.
Modules are imported by the functions that need them, so that a campaign can have them counted.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

PIXELS = 100_000


@dataclass(frozen=True, slots=True)
class Target:
    """A parser.

    Attributes:
        parse: Is given any bytes.
        seeds: Made by code: small, and parsed to their end.
        is_json: Whether they are documents, of which values are changed, too.
    """

    parse: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    is_json: bool = False


class Defect(Exception):
    """What was parsed is not as it may be."""


def refusing(parse: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """The parser, of which refusals are no defects: problems below 500, with words."""

    def tried(data: bytes) -> object:
        from fastapi_problem.error import StatusProblem

        try:
            return parse(data)
        except StatusProblem as problem:
            if problem.status >= 500 or not problem.detail:
                raise
        return None

    return tried


# Pictures


def _container(name: str, kinds: Sequence[str]) -> Target:
    def parse(data: bytes) -> object:
        from importlib import import_module

        from service.images.containers.cleaned import DamagedFile, UnsupportedFile

        container = import_module(f"service.images.containers.{name}")
        try:
            cleaned = container.clean(data, PIXELS) if name == "bmp" else container.clean(data)
        except (DamagedFile, UnsupportedFile):
            return None
        if not 1 <= cleaned.orientation <= 8:
            raise Defect(f"orientation {cleaned.orientation}")
        # A run-length encoded BMP is unpacked, to a byte a pixel at most.
        if len(cleaned.content) > len(data) + 4096 + (4 * PIXELS if name == "bmp" else 0):
            raise Defect(f"{len(data)} bytes have become {len(cleaned.content)}")
        return cleaned

    return Target(parse, lambda: _pictures(*kinds))


def _decoding() -> Target:
    def parse(data: bytes) -> object:
        from service.images.decoding import decode

        return decode(data, PIXELS, side=32)

    return Target(refusing(parse), lambda: _pictures("P", "J", "T", "W", "B", "G", "H"))


@cache
def _pictures(*beginnings: str) -> Sequence[bytes]:
    from tests.campaigns.images import originals

    return [
        content
        for name, content in originals()
        if name.startswith(beginnings) and len(content) < 8000
    ]


# Uploads


def _zip(data: bytes) -> object:
    from service.archives.archive import Unpacked, open_archive

    settings = _settings()
    files = open_archive(data, settings, Unpacked(settings))
    return [one.read() for one in files[:5]]


def _zips() -> Sequence[bytes]:
    from tests.service.pictures import zipped

    whole = zipped({"ant/1.png": b"abc", "森林/2.png": b"defg" * 9})
    return [whole, whole.replace("森林".encode(), b"\x90\x58\x97\xd1\x20\x20"), _zip64(whole)]


def _zip64(whole: bytes) -> bytes:
    end = whole.rindex(b"PK\5\6")
    begin = whole.index(b"PK\1\2")
    record = b"PK\6\6" + (44).to_bytes(8, "little") + b"\x2d\0\x2d\0" + bytes(8)
    record += (2).to_bytes(8, "little") * 2
    record += (end - begin).to_bytes(8, "little") + begin.to_bytes(8, "little")
    locator = b"PK\6\7" + bytes(4) + end.to_bytes(8, "little") + b"\1\0\0\0"
    return whole[:end] + record + locator + whole[end:]


def _multipart(data: bytes) -> object:
    from starlette.requests import Request

    from service.api.uploads.multipart import form_files

    kind, _, body = data.partition(b"\n")
    kind = bytes(one for one in kind if one >= 0x20 and one != 0x7F)  # as header fields may hold
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    headers = [(b"content-type", b"multipart/form-data; boundary=" + kind)]

    async def receive() -> Any:
        return sent.pop() if sent else {"type": "http.disconnect"}

    async def read() -> object:
        request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
        return await form_files(request, _settings())

    return asyncio.run(read())


def _forms() -> Sequence[bytes]:
    names = (
        b'filename="1.png"', b"filename*=UTF-8''%E6%A3%AE.png", b'filename="=?utf-8?B?w4Rw?="', b'filename="\x90\x58"',
    )  # fmt: skip
    parts = [
        b'--X\r\nContent-Disposition: form-data; name="f"; ' + name + b"\r\n"
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"
        for name in names
    ]
    return [b"X\n" + b"".join(parts) + b"--X--\r\n", b'X;charset="cp932"\n' + parts[0] + b"--X--"]


def _disposition(data: bytes) -> object:
    from service.api.uploads.content_disposition import read_disposition, text_charset

    charset, _, value = data.partition(b"\n")
    return read_disposition(value, text_charset(charset))


def _dispositions() -> Sequence[bytes]:
    return [b"utf-8\n" + form.split(b"\r\n")[1].partition(b": ")[2] for form in _forms()]


def _code_pages(data: bytes) -> object:
    from service.archives.names import CodePageError, decode_names

    try:
        return decode_names(data.split(b"\n"))
    except CodePageError:
        return None


# JSON


def _json(data: bytes) -> object:
    from service.api.json_documents import read_document

    return read_document(data)


def _jsons() -> Sequence[bytes]:
    image = {"data": "A" * 3000, "filename": "a", "label": "ant"}
    document = {"images": [image, {"embedding": [0.5, -1e3], "digest": "\u00e4\\"}], "top_k": 3}
    return [json.dumps(document).encode(), b'{"a": "\\"\\\\", "b": [NaN, 1e400]}', b'{"a":1,"a":2}']


# Files of classifiers


def _exchange(data: bytes) -> object:
    from service.exchange import read_classifier
    from tests.service.exchange.files import LIMITS

    opened = read_classifier(io.BytesIO(data), LIMITS)
    return [opened.content(sha256) for sha256 in opened.kept]


def _exchanges() -> Sequence[bytes]:
    from tests.service.exchange.files import made, written

    return [written(made()), written(made(), images=False)]


def _tensors(data: bytes) -> object:
    from service.exchange.safetensors_stream import TensorsError, read_tensors

    try:
        return read_tensors(io.BytesIO(data), len(data))
    except TensorsError:
        return None


def _tensor_files() -> Sequence[bytes]:
    from tests.service.exchange.files import made, unpacked, written

    return [unpacked(written(made()))["embeddings.safetensors"]]


# Peers


def _connection(data: bytes) -> object:
    import re

    from tests.service.serving.test_http_connection import spoken

    cut = data[0] if data else 0
    _, written, table = spoken([one for one in (data[1 : cut + 1], data[cut + 1 :]) if one])
    statuses = {int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", written)}
    if len(table) or not statuses <= {200, 400, 431, 503}:
        raise Defect(f"{len(table)} connections are left, {statuses}")
    return written


def _requests() -> Sequence[bytes]:
    return [
        b"\0GET /a HTTP/1.1\r\nhost: a\r\n\r\n" * 2,
        b"\x09POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        b"\x50PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nb: c\r\n\r\n",
        b"\x30POST / HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 1\r\n\r\na",
    ]


def _frigate(data: bytes) -> object:
    from service.bridges.frigate.tracked_objects import read_event

    try:
        return read_event(data)
    except ValueError:
        return None


def _frigate_events() -> Sequence[bytes]:
    after = {
        "id": "1607123955.475377-mxklsc", "camera": "front", "label": "person", "sub_label": ["Ann", 0.9],
        "false_positive": False, "snapshot": {"frame_time": 1607123961.8},
    }  # fmt: skip
    return [
        json.dumps({"type": kind, "before": after, "after": after}).encode()
        for kind in ("new", "update", "end")
    ]


def _webhook(data: bytes) -> object:
    from service.integrations.label_studio.events import events_of
    from service.integrations.label_studio.routes import _read

    return events_of(_read(data))


def _webhooks() -> Sequence[bytes]:
    import random

    from tests.campaigns.requests.foreign import webhook

    return [json.dumps(webhook(random.Random(one))).encode() for one in range(8)]


def _labelling(data: bytes) -> object:
    from service.integrations.label_studio.labelling_config import ConfigError, control_of

    try:
        return control_of.__wrapped__(data.decode("utf-8", "surrogateescape"))
    except ConfigError:
        return None


def _labellings() -> Sequence[bytes]:
    from tests.service.integrations.label_studio.stand_in import CONFIG, SEVERAL

    return [CONFIG.encode(), SEVERAL.encode()]


def _binary(data: bytes) -> object:
    from service.integrations.open_inference.binary_tensors import BinaryTensorError, elements_of

    try:
        return elements_of(memoryview(data)[1:], data[0] if data else 0)
    except BinaryTensorError:
        return None


@cache
def _settings() -> Any:
    from service.settings import Settings

    return Settings(max_image_bytes=100_000, max_unpacked_bytes=500_000, max_images_per_request=20)


TARGETS: Mapping[str, Target] = {
    "jpeg": _container("jpeg", ("JPEG", "MPO")),
    "png": _container("png", ("PNG", "APNG")),
    "tiff": _container("tiff", ("TIFF",)),
    "webp": _container("webp", ("WebP",)),
    "bmp": _container("bmp", ("BMP",)),
    "gif": _container("gif", ("GIF",)),
    "heif": _container("isobmff", ("HEIC", "AVIF")),
    "decoding": _decoding(),
    "zip": Target(refusing(_zip), _zips),
    "multipart": Target(refusing(_multipart), _forms),
    "disposition": Target(_disposition, _dispositions),
    "code-pages": Target(_code_pages, lambda: [b"\x90\x58\x97\xd1\nabc", b"\xb1\xe2\xbc\xd2"]),
    "json": Target(refusing(_json), _jsons, is_json=True),
    "exchange": Target(refusing(_exchange), _exchanges),
    "tensors": Target(_tensors, _tensor_files),
    "http": Target(_connection, _requests),
    "frigate": Target(_frigate, _frigate_events, is_json=True),
    "webhook": Target(refusing(_webhook), _webhooks, is_json=True),
    "labelling": Target(_labelling, _labellings),
    "binary-tensors": Target(_binary, lambda: [b"\x01\x03\0\0\0abc"]),
}
"""By the name that the command takes."""
