"""Security schemes of the OpenAPI document: keys, and the scope that each operation needs."""

from __future__ import annotations

from service.access.required_access import required_access
from service.api.openapi.responses import Document

_METHODS = ("get", "put", "post", "patch", "delete")
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
            item[method]["security"] = [{scheme: [str(required.scope)]} for scheme in _SCHEMES]
            who = "an operator's key" if required.operator else "a key"
            told = f"Needs {who} with the scope `{required.scope}`."
            item[method]["description"] = f"{item[method].get('description', '')}\n\n{told}".strip()
    return document
