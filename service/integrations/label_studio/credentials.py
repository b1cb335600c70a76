"""Credentials for Label Studio: the header field that its API takes, of an access token."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from time import time
from typing import Any

# Seconds before its end that an access token is not used any more; of one that says none, its life.
_MARGIN, _LIFE = 30, 60


class Credentials:
    """The ``Authorization`` of requests to Label Studio.

    A legacy token is sent as it is. A personal access token (a JWT) is a refresh token, which buys
    access tokens that last some minutes.

    Args:
        token: As in the settings.
        refresh: Sends it to Label Studio; returns what that answers.
    """

    def __init__(self, token: str, refresh: Callable[[str], Awaitable[Any]]) -> None:
        self._token = token
        self._refresh = refresh
        self._is_jwt = _claims(token) is not None
        self._access = ""
        self._until = 0.0
        self._one = asyncio.Lock()

    async def fields(self) -> tuple[tuple[str, str], ...]:
        """The header field; none where there is no token.

        Raises what ``refresh`` does, and ``ValueError`` where that is answered with no token.
        """
        if not self._token:
            return ()
        if not self._is_jwt:
            return (("authorization", f"Token {self._token}"),)
        async with self._one:
            if time() >= self._until:
                answer = await self._refresh(self._token)
                access = answer.get("access") if isinstance(answer, dict) else None
                if not isinstance(access, str) or (claims := _claims(access)) is None:
                    raise ValueError("no access token")
                self._access, self._until = access, _end(claims) - _MARGIN
            return (("authorization", f"Bearer {self._access}"),)

    def forget(self) -> bool:
        """The access token was refused; whether another one can be asked for."""
        self._until = 0.0
        return self._is_jwt


def _claims(token: str) -> dict[str, Any] | None:
    """What a JWT claims (RFC 7519), unverified; None: it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _end(claims: dict[str, Any]) -> float:
    end = claims.get("exp")
    return float(end) if isinstance(end, int) else time() + _LIFE + _MARGIN
