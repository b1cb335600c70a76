"""Settings of Label Studio, whose backend the service is."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

from service.name_validation import CLASSIFIER
from service.tenancy import DEFAULT_TENANT


class LabelStudioSettings(BaseModel):
    """Settings of Label Studio, whose backend the service is."""

    label_studio_url: str = Field(
        "",
        description="Where Label Studio is, as this service reaches it, such as"
        " http://label-studio:8080; its images are fetched from there.",
    )
    label_studio_token: SecretStr = Field(
        SecretStr(""),
        description="A user's access token there, personal or legacy, which is sent nowhere else.",
    )

    label_studio_tenant: str = Field(
        DEFAULT_TENANT,
        pattern=rf"^(?:{CLASSIFIER})?$",
        description="The tenant whose keys alone Label Studio's backend answers, as whoever it"
        " answers sees what the token sees; the default tenant if empty.",
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
