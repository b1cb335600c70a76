"""JSON of keys: what is asked for, and what is told of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.access.limits import LEAST_PER_SECOND
from service.access.principal import Principal, Scope
from service.api.openapi.schema_types import PointInTime
from service.name_validation import CLASSIFIER
from service.problems import NotAllowed
from service.storage.stored_keys import StoredKey
from service.tenancy import DEFAULT_TENANT

MOST_CLASSIFIERS = 1000
_MOST_PER_SECOND = 1e6

TenantName = Annotated[str, StringConstraints(pattern=rf"^{CLASSIFIER}$")]
PerSecond = Annotated[float, Field(ge=LEAST_PER_SECOND, le=_MOST_PER_SECOND, allow_inf_nan=False)]


OfTenant = Annotated[
    TenantName | None,
    Query(description="Whose keys, which an operator may say; your own tenant's by default."),
]


def tenant_asked(principal: Principal, asked: str | None) -> str:
    """Whose keys or log a request is about.

    Raises:
        NotAllowed: They are another tenant's.
    """
    if asked is None or asked == principal.tenant:
        return principal.tenant
    if not principal.operates:
        raise NotAllowed("Other tenants are an operator's business. Leave out the tenant.")
    return asked


class KeyIn(BaseModel):
    """Terms of a key that is to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "sorting line 2",
                    "scopes": ["predict"],
                    "classifiers": ["land-cover"],
                    "expires_at": "2027-01-01T00:00:00Z",
                }
            ]
        },
    )

    name: str = Field(
        "",
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="What it is for, to know it again in lists.",
    )
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = Field(
        [Scope.READ, Scope.PREDICT, Scope.WRITE],
        description="What its holder may do: look at classifiers, predict, change them, administer"
        " keys.",
    )
    classifiers: (
        Annotated[list[TenantName], Field(min_length=1, max_length=MOST_CLASSIFIERS)] | None
    ) = Field(None, description="The only classifiers that it is for; all of the tenant if null.")
    expires_at: PointInTime | None = Field(
        None, description="When it ends; when it is revoked if null."
    )
    requests_per_second: PerSecond | None = Field(
        None, description="Most requests a second with it; none but those of the tenant if null."
    )
    images_per_second: PerSecond | None = Field(
        None, description="Most images a second in them, likewise."
    )
    tenant: TenantName | None = Field(
        None, description="Whose key it is, which an operator may say; your own tenant if null."
    )


class KeyOut(BaseModel):
    """A key, without what makes it one: that is told once, when it is made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "9f2c41d07ab35e86",
                    "tenant": None,
                    "name": "sorting line 2",
                    "scopes": ["predict"],
                    "classifiers": ["land-cover"],
                    "created_at": "2026-11-01T12:00:00Z",
                    "expires_at": "2027-01-01T00:00:00Z",
                    "revoked_at": None,
                    "used_at": "2026-11-02T08:31:00Z",
                    "requests_per_second": None,
                    "images_per_second": None,
                }
            ]
        }
    )

    id: str = Field(description="Public: it is in the key, and in the audit log.")
    tenant: str | None = Field(description="Whose; null: the default tenant's.")
    name: str
    scopes: list[Scope]
    classifiers: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = Field(
        description="From when on it is not valid any more; later than now while it is rotated."
    )
    used_at: datetime | None = Field(description="When it was last used, to a minute or so.")
    requests_per_second: float | None
    images_per_second: float | None

    @classmethod
    def of(cls, key: StoredKey) -> Self:
        """The JSON of a key."""
        return cls(**_shown(key))


class NewKeyOut(KeyOut):
    """A key that was just made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "9f2c41d07ab35e86",
                    "tenant": None,
                    "name": "sorting line 2",
                    "scopes": ["predict"],
                    "classifiers": ["land-cover"],
                    "created_at": "2026-11-01T12:00:00Z",
                    "expires_at": None,
                    "revoked_at": None,
                    "used_at": None,
                    "requests_per_second": None,
                    "images_per_second": None,
                    "key": "handful_9f2c41d07ab35e86_THE-SECRET-WHICH-IS-SHOWN-ONCE",
                }
            ]
        }
    )

    key: str = Field(description="What is sent with requests. It is told here and never again.")

    @classmethod
    def made(cls, key: StoredKey, text: str) -> Self:
        """The JSON of a key with its text."""
        return cls(**_shown(key), key=text)


class KeyList(BaseModel):
    """Keys, oldest first, all or a page of them; those that ended stay for 90 days."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"keys": [], "next_cursor": None}]})

    keys: list[KeyOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


def _shown(key: StoredKey) -> dict[str, object]:
    terms = key.terms
    return {
        "id": key.key_id,
        "tenant": None if terms.tenant == DEFAULT_TENANT else terms.tenant,
        "name": terms.name,
        "scopes": sorted(terms.scopes),
        "classifiers": None if terms.classifiers is None else sorted(terms.classifiers),
        "created_at": key.created_at,
        "expires_at": terms.expires_at,
        "revoked_at": key.revoked_at,
        "used_at": key.used_at,
        "requests_per_second": terms.rates.requests_per_second,
        "images_per_second": terms.rates.images_per_second,
    }
