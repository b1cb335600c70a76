"""Security schemes of the OpenAPI document: keys, and the scope that each operation needs."""

from __future__ import annotations

from service.access.required_access import required_access
from service.access.session_token import COOKIE, CSRF_FIELD
from service.api.openapi.responses import Document

_METHODS = ("get", "put", "post", "patch", "delete")
_SAFE = frozenset({"get"})
_SCHEMES: Document = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "handful_ID_SECRET",
        "description": "A key as a bearer token (RFC 6750).",
    },
    "x-api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same key in a field of its own.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The cookie of a session, which POST /v1/session begins with a key.",
    },
    "csrf-token": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_FIELD,
        "description": "Beside that cookie, with requests that change something: the `csrf_token`"
        " that GET /v1/session answers.",
    },
}


def with_security(document: Document) -> Document:
    """Return the document with security requirements; the roles in them are scopes of keys."""
    document["components"]["securitySchemes"] = _SCHEMES
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method not in item:
                continue
            required = required_access(method.upper(), path)
            if required is None:
                item[method]["security"] = []
                continue
            scopes = [str(required.scope)]
            session = (
                {"session": scopes}
                if method in _SAFE
                else {
                    "session": scopes,
                    "csrf-token": scopes,
                }
            )
            item[method]["security"] = [{"bearer": scopes}, {"x-api-key": scopes}, session]
            who = "an operator's key" if required.operator else "a key"
            told = f"Needs {who} with the scope `{required.scope}`."
            item[method]["description"] = f"{item[method].get('description', '')}\n\n{told}".strip()
    return document
