"""JSON of sessions: the key to log in with, and who is logged in."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from service.access.principal import Principal, Scope
from service.access.session_token import csrf_token_of
from service.api.access_control import OpenSession
from service.tenancy import DEFAULT_TENANT

Authentication = Literal["none", "keys", "proxy"]


class LogIn(BaseModel):
    """A key to log in with."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"key": "handful_9f2c41d07ab35e86_THE-SECRET"}]},
    )

    key: SecretStr = Field(max_length=255, description="As it was told when it was made.")


class SessionOut(BaseModel):
    """Who a request is from, and what they may do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "authentication": "keys",
                    "signed_in": True,
                    "tenant": "lab",
                    "key_id": "9f2c41d07ab35e86",
                    "user": None,
                    "scopes": ["predict", "read", "write"],
                    "classifiers": None,
                    "operates": False,
                    "csrf_token": "4d1c9b0c7c0a4e0b" * 4,
                    "expires_at": "2026-11-02T20:31:00Z",
                }
            ]
        }
    )

    authentication: Authentication = Field(
        description="What lets requests in (`HANDFUL_AUTH`): nothing, keys, or a proxy that signs"
        " users in."
    )
    signed_in: bool = Field(description="Whether requests like this one are let in.")
    tenant: str | None = Field(description="Whose classifiers; null: the default tenant's.")
    key_id: str | None = Field(description="Of the key, if it is one.")
    user: str | None = Field(description="Who it is, where a proxy says.")
    scopes: list[Scope] = Field(description="What they may do.")
    classifiers: list[str] | None = Field(
        description="The only classifiers that they may use; all of the tenant if null."
    )
    operates: bool = Field(description="Whether they are an operator.")
    csrf_token: str | None = Field(
        description="What changes need as `X-CSRF-Token` beside the cookie; null: there is none."
    )
    expires_at: datetime | None = Field(
        description="When the session ends, if its key has not before; null: there is none."
    )

    @classmethod
    def of(
        cls,
        authentication: Authentication,
        principal: Principal | None,
        session: OpenSession | None = None,
    ) -> Self:
        """The JSON of who a request is from; None: of nobody who is known."""
        nobody = principal is None
        who = Principal(scopes=frozenset()) if principal is None else principal
        return cls(
            authentication=authentication,
            signed_in=not nobody,
            tenant=None if who.tenant == DEFAULT_TENANT else who.tenant,
            key_id=who.key_id,
            user=who.user,
            scopes=sorted(who.scopes),
            classifiers=None if who.classifiers is None else sorted(who.classifiers),
            operates=who.operates,
            csrf_token=None if session is None else csrf_token_of(session.token),
            expires_at=None if session is None else session.expires_at,
        )
