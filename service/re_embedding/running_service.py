"""Asks a running service to move its database, and follows how far it is."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from rich.console import Console

from service.re_embedding.errors import NoService, ReEmbeddingError

# Seconds that one answer may take, and between two looks.
_PATIENCE, _LOOK = 60.0, 0.5


class RunningService:
    """A service at an address.

    Args:
        url: Such as http://127.0.0.1:8000.
        key: API key, where the service asks for one.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ReEmbeddingError(f"{url} is no address of a service: write http://HOST:PORT")
        self._headers = {"content-type": "application/json"}
        if key is not None:
            self._headers["authorization"] = f"Bearer {key}"
        self._where = f"{url.rstrip('/')}/v1/re-embedding"

    def begin(self, recipe: dict[str, str]) -> dict[str, Any]:
        """Ask for a move; returns its status.

        Args:
            recipe: What is to change of it.

        Raises:
            NoService: Nobody answers.
            ReEmbeddingError: It refuses; why.
        """
        return self._asked(json.dumps(recipe).encode())

    def follow(self, console: Console) -> dict[str, Any]:
        """Wait for its end, saying how far it is; returns the last status.

        Raises as :meth:`begin`, also where it has failed.
        """
        with console.status("embedding") as shown:
            while (now := self._asked())["state"] not in ("none", "failed"):
                images, classifiers = now["images"], now["classifiers"]
                waits = f"; waiting: {now['error']}" if now["error"] else ""
                shown.update(
                    f"{now['state']}: {images['done']} of {images['all']} images, "
                    f"{classifiers['done']} of {classifiers['all']} classifiers{waits}"
                )
                time.sleep(_LOOK)
        if now["state"] == "failed":
            raise ReEmbeddingError(str(now["error"]))
        return now

    def _asked(self, body: bytes | None = None) -> dict[str, Any]:
        request = Request(self._where, body, self._headers)  # noqa: S310 - its scheme was looked at
        try:
            with urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - likewise
                found: dict[str, Any] = json.load(answer)
                return found
        except HTTPError as error:
            raise ReEmbeddingError(f"the service refuses: {_detail(error)}") from error
        except (URLError, TimeoutError, ConnectionError) as error:
            raise NoService(f"no service answers at {self._where}: {error}") from error


def _detail(error: HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error)
