"""Principal: who a request is from, as far as the service is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.tenancy import DEFAULT_TENANT

# Where authentication leaves it in the ASGI scope of a request.
SCOPE_KEY = "handful.principal"


class Scope(StrEnum):
    """Scope of a key (RFC 6749, 3.3): what its holder may do."""

    READ = "read"
    PREDICT = "predict"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Principal of a request.

    Attributes:
        tenant: Whose classifiers it is about.
        key_id: Public id of the key that it came with; None: it came without.
        scopes: What it may do.
        classifiers: Bare names of the classifiers that it may use; None: all of the tenant.
    """

    tenant: str = DEFAULT_TENANT
    key_id: str | None = None
    scopes: frozenset[Scope] = frozenset(Scope)
    classifiers: frozenset[str] | None = None


#: Who everybody is while the service asks for no keys.
ANYBODY = Principal()


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Who a request is from.

    Args:
        scope: ASGI's, of the request.
    """
    principal: Principal = scope.get(SCOPE_KEY, ANYBODY)
    return principal
