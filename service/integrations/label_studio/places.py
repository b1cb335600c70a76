"""Places of images: what the data of a task mean by the address of its image."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from service.fetching import FetchError
from service.fetching.sources import PORTS

_HALF = re.compile("[\ud800-\udfff]")
_STORED = re.compile(r"(?:s3|gs|azure-blob):", re.IGNORECASE)
# What Label Studio serves files at. Nothing else of it is asked for, whatever a task says: the
# token may be an administrator's.
_FILES = re.compile(
    r"/(?:data/upload/.|storage-data/uploaded/|data/local-files/|(?:tasks|projects)/\d+/(?:presign|resolve)/)"
)


@dataclass(frozen=True, slots=True)
class Inside:
    """A file of Label Studio, by its URL there."""

    url: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An image of another host, by its URL."""

    url: str


@dataclass(frozen=True, slots=True)
class Content:
    """An image that the address itself holds."""

    content: bytes


Place = Inside | Elsewhere | Content


def place_of(address: str, task: int | None, label_studio: str) -> Place:
    """Where an image is.

    Args:
        address: As the data of the task have it.
        task: Its id; None: it is not known.
        label_studio: Where that is; empty: nobody has said.

    Raises:
        FetchError: It is nowhere that is asked for.
    """
    if _HALF.search(address):
        raise _refused("has an address with half of a character (a lone surrogate)")
    if address[:5].lower() == "data:":
        return Content(_of_data_uri(address))
    if _STORED.match(address):
        if task is None:
            raise _refused("is in a storage of Label Studio, and its task is not known")
        named = base64.urlsafe_b64encode(address.encode()).decode()
        return Inside(_at(label_studio, f"/tasks/{task}/resolve/?fileuri={quote(named)}"))
    if address.startswith("/"):
        return Inside(_at(label_studio, address))
    try:
        parts = urlsplit(address)
        origin = _origin(parts.scheme, parts.hostname, parts.port)
    except ValueError as error:
        raise _refused("is no address that can be read") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise _refused(
            f"is at {address[:100]!r}, which is neither a file of Label Studio nor a URL"
        )
    own = urlsplit(label_studio)
    if label_studio and origin == _origin(own.scheme, own.hostname, own.port):
        query = f"?{parts.query}" if parts.query else ""
        return Inside(_at(label_studio, parts.path + query))
    return Elsewhere(address)


def file_name(address: str) -> str:
    """The name of the file at an address, for people; empty where it has none."""
    if address[:5].lower() == "data:":
        return ""
    path = unquote(address).partition("?filepath=")[2] or urlsplit(address).path
    return unquote(path).replace("\0", "").rpartition("/")[2][-255:]


def _at(label_studio: str, path: str) -> str:
    """The URL of a file of Label Studio, which may stand below a path of its own.

    Raises:
        FetchError: It is no such file.
    """
    if not label_studio:
        raise _refused(
            "is a file of Label Studio, and the service was not told where that is"
            " (HANDFUL_LABEL_STUDIO_URL)"
        )
    below = urlsplit(label_studio).path
    path = path.removeprefix(below) if path.startswith(f"{below}/") else path
    bare = unquote(path.partition("?")[0])
    if not _FILES.match(path) or "\\" in bare or {".", ".."} & set(bare.split("/")):
        raise _refused(f"is at {path[:100]!r}, where Label Studio has no files of tasks")
    return label_studio + path


def _refused(why: str) -> FetchError:
    """An error that asking again does not mend."""
    return FetchError(why, status=422)


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str, int | None]:
    return scheme.lower(), (host or "").lower(), port or PORTS.get(scheme.lower())


def _of_data_uri(address: str) -> bytes:
    """What a data URI holds (RFC 2397)."""
    head, comma, text = address.partition(",")
    if not comma:
        raise _refused("is a data URI that cannot be read")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(text)
    try:
        return base64.b64decode(b"".join(unquote_to_bytes(text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused("is a data URI whose base64 cannot be read") from error
