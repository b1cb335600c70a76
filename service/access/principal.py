"""Principal: who a request is from, as far as the service is concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.tenancy import DEFAULT_TENANT

# Where authentication leaves it in the ASGI scope of a request.
SCOPE_KEY = "handful.principal"
# Where the connection leaves there the address of its other end, whatever X-Forwarded-For says.
PEER_KEY = "handful.peer"


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
        user: Who it is to the proxy that let it in; None: no proxy has said.
        scopes: What it may do.
        classifiers: Bare names of the classifiers that it may use; None: all of the tenant.
    """

    tenant: str = DEFAULT_TENANT
    key_id: str | None = None
    user: str | None = None
    scopes: frozenset[Scope] = frozenset(Scope)
    classifiers: frozenset[str] | None = None

    @property
    def operates(self) -> bool:
        """Whether it is an operator: an administrator of the default tenant, and so of all."""
        return Scope.ADMIN in self.scopes and self.tenant == DEFAULT_TENANT

    def may_use(self, classifier: str) -> bool:
        """Whether it may use the classifier of that bare name, if there is one."""
        return self.classifiers is None or classifier in self.classifiers


#: Who everybody is while the service asks for no keys.
ANYBODY = Principal()


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Who a request is from.

    Args:
        scope: ASGI's, of the request.
    """
    principal: Principal = scope.get(SCOPE_KEY, ANYBODY)
    return principal
