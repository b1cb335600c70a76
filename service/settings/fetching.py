"""Settings of images that are given by URL."""

from __future__ import annotations

from importlib.util import find_spec

from pydantic import BaseModel, Field, field_validator

from service.fetching.sources import Sources


class FetchingSettings(BaseModel):
    """Settings of images that are given by URL."""

    fetch_from: Sources = Field(
        [],
        description="Hosts that images may be fetched from which are given by URL, separated by"
        " commas: images.example.com, *.example.com, images.example.com:8443,"
        " http://images.example.com; none by default.",
    )
    fetch_seconds: float = Field(
        10, gt=0, description="Longest that fetching the images of a request may take."
    )

    @field_validator("fetch_from")
    @classmethod
    def _can_fetch(cls, fetch_from: list[str]) -> list[str]:
        """Before anything is done."""
        if fetch_from and find_spec("httpx2") is None:
            raise ValueError(
                "fetching images needs HTTPX; install it with: pip install 'handful[fetch]'"
            )
        return fetch_from
