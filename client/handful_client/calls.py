"""A call of the API as a value: what is sent, however often, and by whichever client."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import httpx2

from handful_client.version import __version__

Form = Sequence[tuple[str, tuple[str, bytes]]]
Query = Mapping[str, str | int | float | bool | Sequence[str] | None]
JSON = "application/json"
ZIP = "application/zip"


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        method: Of HTTP.
        path: Segments after the service's URL, as they are; each is encoded as a whole.
        query: Parameters; those that are None are left out.
        headers: Beside those of every request.
        content: The body.
        media_type: Of the body.
        form: Files of a multipart form, in place of a body.
        file: A file to be sent as the body, read piece by piece.
        reads: Whether it changes nothing, although it is no GET.
        same: Whether, made twice, it does what it does made once: the service recognises what is
            there.
    """

    method: str
    path: tuple[str, ...]
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    media_type: str = "application/octet-stream"
    form: Form | None = None
    file: Path | None = None
    reads: bool = False
    same: bool = False

    def sent_headers(self) -> dict[str, str]:
        """Header fields of all attempts: attempts of one change have one idempotency key."""
        headers = dict(self.headers)
        if self.method != "GET" and not self.reads:
            headers["idempotency-key"] = str(uuid.uuid4())
        if self.form is not None:
            # Of the call, so that each attempt has the same bytes.
            headers["content-type"] = f"multipart/form-data; boundary={secrets.token_hex(16)}"
        elif self.content is not None or self.file is not None:
            headers["content-type"] = self.media_type
        if self.file is not None:
            headers["content-length"] = str(self.file.stat().st_size)
        return headers

    def sent_query(self) -> httpx2.QueryParams:
        """The parameters as the API writes them; a sequence as one for each of its values."""
        sent: list[tuple[str, str | int | float | bool | None]] = []
        for name, value in self.query.items():
            if isinstance(value, Sequence) and not isinstance(value, str):
                sent += [(name, one) for one in value]
            elif value is not None:
                sent.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
        return httpx2.QueryParams(sent)


def json_call(
    method: str,
    path: tuple[str, ...],
    document: Mapping[str, object],
    query: Query | None = None,
    *,
    reads: bool = False,
    same: bool = False,
) -> Call:
    """A call whose body is a JSON document; other arguments are those of :class:`Call`."""
    content = json.dumps(document).encode()
    call = Call(method, path, query or {}, content=content, media_type=JSON)
    return replace(call, reads=reads, same=same)


def waiting(wait_tuned: bool) -> Query:
    """The parameter that lets a change be answered once the classifier is tuned."""
    return {"wait": "tuned" if wait_tuned else None}


def base_of(url: str) -> str:
    """The URL of a service, without a slash at its end.

    Raises:
        ValueError: It is none, or has parts that calls could not be added to.
    """
    parsed = httpx2.URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is no URL of a service; write http://HOST:PORT")
    if parsed.query or parsed.fragment:
        raise ValueError(f"{url!r} has a query or a fragment; give the service's URL alone")
    return str(parsed).rstrip("/")


def address(base: str, path: Sequence[str]) -> str:
    """The URL of a call.

    HTTP clients remove ``.`` and ``..`` from paths, so that another resource would be meant; with
    their dots encoded they arrive, and are refused.
    """
    segments = [
        quote(segment, safe="").replace(".", "%2E")
        if segment in {".", ".."}
        else quote(segment, safe="")
        for segment in path
    ]
    return "/".join((base, *segments))


def identity(key: str | None) -> dict[str, str]:
    """Header fields that say who asks.

    Raises:
        ValueError: The key cannot be one.
    """
    headers = {"user-agent": f"handful-client/{__version__}"}
    if key is not None:
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                "a key is printable ASCII without spaces; was a line break read along?"
            )
        headers["authorization"] = f"Bearer {key}"
    return headers
