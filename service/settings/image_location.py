"""Locations of images outside the database: which there are, and how they are written."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Schemes of URLs of buckets.
BUCKETS = ("s3", "gs", "az")


def checked_location(value: str) -> str:
    """The URL of a folder or a bucket, as it is compared and written down.

    Args:
        value: As somebody wrote it; a path is that of a folder.

    Raises:
        ValueError: It is none; how one is written.
    """
    if "://" not in value:
        return Path(value).expanduser().resolve().as_uri()
    parts = urlsplit(value)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            "the location of images takes neither keys nor parameters: they are read from the"
            " environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, ...)"
        )
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise ValueError(f"{value} is no folder: write three slashes, as in file:///srv/images")
        return Path(unquote(parts.path)).resolve().as_uri()
    if parts.scheme not in BUCKETS:
        raise ValueError(
            f"images cannot be kept in {parts.scheme}://: name a folder (/srv/images or"
            " file:///srv/images) or a bucket (s3://BUCKET/PREFIX, gs://..., az://...)"
        )
    if not parts.netloc:
        raise ValueError(f"{value} names no bucket: {parts.scheme}://BUCKET/PREFIX")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def folder_of(location: str) -> Path | None:
    """The path of a folder; None: it is a bucket."""
    parts = urlsplit(location)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
