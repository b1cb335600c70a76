"""Classifiers that the body of a request names, beside the one in its path."""

from __future__ import annotations

from fastapi import Request

from service.access.principal import principal_of
from service.name_validation import checked_classifier
from service.problems import NotAllowed
from service.tenancy import qualified


def named_classifier(request: Request, name: str) -> str:
    """The qualified name of a classifier that a body names.

    Raises:
        InvalidName: It cannot be the name of one.
        NotAllowed: The key is for others.
    """
    principal = principal_of(request.scope)
    if not principal.may_use(checked_classifier(name)):
        raise NotAllowed(
            f"This key is for some classifiers, and {name!r} is none of them: it needs to be for"
            " both classifiers of the request."
        )
    return qualified(principal.tenant, name)
