"""Tenancy: qualified names, by which tenants share one service without knowing of each other.

A tenant owns classifiers, and their names are unique within it. Inside the service a classifier
goes by its qualified name, ``tenant/name``, as a repository goes by ``owner/name`` and an object of
Kubernetes by ``namespace/name``; neither part can hold a slash. The default tenant, whom everybody
is while there are no keys, has bare names. So whatever is found by a name, such as a row, a place
in memory or a turn in a queue, is of one tenant, and a request can only ask for what is its own:
its path says the name, its key says the tenant.
"""

from __future__ import annotations

#: The tenant of a service without keys.
DEFAULT_TENANT = ""


def qualified(tenant: str, name: str) -> str:
    """The qualified name of what a tenant calls so."""
    return f"{tenant}/{name}" if tenant else name


def tenant_of(qualified_name: str) -> str:
    """The tenant in a qualified name."""
    return qualified_name.rpartition("/")[0]


def bare(qualified_name: str) -> str:
    """What the tenant itself calls it: what answers and problem documents say."""
    return qualified_name.rpartition("/")[2]
