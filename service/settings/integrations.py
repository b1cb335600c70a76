"""Settings of integrations: which other systems the service answers in their own way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from service.hosts import split


class Registered(NamedTuple):
    """Where an integration is.

    Attributes:
        package: In :mod:`service.integrations`.
        needs: A module that comes with the extra of the integration's name; None: there is none.
    """

    package: str
    needs: str | None = None


INTEGRATIONS: Mapping[str, Registered] = {
    "label-studio": Registered("label_studio", needs="httpx2"),
}
"""All integrations, by their names. Whoever adds one registers it here, by one line."""


class IntegrationSettings(BaseModel):
    """Settings of integrations: which other systems the service answers in their own way."""

    integrations: Annotated[list[str], NoDecode, BeforeValidator(split)] = Field(
        [],
        description="Other systems that are answered in their own way, separated by commas:"
        f" {', '.join(INTEGRATIONS)}; empty for none.",
    )

    label_studio_url: str = Field(
        "",
        description="Where Label Studio is, as this service reaches it, such as"
        " http://label-studio:8080; its images are fetched from there.",
    )
    label_studio_token: SecretStr = Field(
        SecretStr(""),
        description="A user's access token there, personal or legacy, which is sent nowhere else.",
    )

    @field_validator("label_studio_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        """Without a slash at the end."""
        parts = urlsplit(url)
        if url and (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or "@" in parts.netloc
            or parts.query
            or parts.fragment
        ):
            raise ValueError(
                "write the address of Label Studio, such as http://label-studio:8080, without a"
                " user; the token is HANDFUL_LABEL_STUDIO_TOKEN"
            )
        return url.rstrip("/")

    @field_validator("label_studio_token")
    @classmethod
    def _a_token(cls, token: SecretStr) -> SecretStr:
        """Of characters that a header field may hold."""
        text = token.get_secret_value().strip()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("an access token of Label Studio has no spaces, and ASCII alone")
        return SecretStr(text)

    @field_validator("integrations")
    @classmethod
    def _can_be_had(cls, names: list[str]) -> list[str]:
        """Before anything is done."""
        for name in names:
            if name not in INTEGRATIONS:
                raise ValueError(f"there is no integration {name!r}; {', '.join(INTEGRATIONS)} are")
            needs = INTEGRATIONS[name].needs
            if needs is not None and find_spec(needs) is None:
                raise ValueError(
                    f"the integration {name!r} is not installed: pip install 'handful[{name}]'"
                )
        return list(dict.fromkeys(names))
