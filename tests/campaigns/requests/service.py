"""The service that is attacked: started in one of three ways of access, set up, put in order."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2 as httpx

from tests.campaigns.requests.dictionary import CLASSIFIERS, TENANTS
from tests.campaigns.requests.foreign import INTEGRATIONS
from tests.campaigns.requests.judging import UNAVAILABLE
from tests.campaigns.requests.memory import memory_of
from tests.campaigns.requests.request import Field
from tests.campaigns.requests.weighing import give_back, gives_back
from tests.service.pictures import picture
from tests.service.server import Server, run_handful

MODES = ("open", "keys", "proxy")
"""Who is answered: everybody, whoever sends a key, or whom a proxy has signed in."""
_ALL = "admin,read,predict,write"
_KEYS = (
    ("--scopes", _ALL),
    ("--scopes", "read,predict,write"),
    ("--scopes", "predict"),
    ("--scopes", _ALL, "--tenant", "a"),
)
# Small, so that what is refused for its size costs little to send, too.
_LIMITS = {
    "max_image_bytes": 100_000,
    "max_image_pixels": 1_000_000,
    "max_images_per_request": 50,
    "max_json_bytes": 64 * 1024,
    "max_request_bytes": 1_000_000,
    "max_unpacked_bytes": 1_000_000,
    "max_classes": 100,
    "max_texts": 1000,
    "max_jobs": 10,
    "classifier_memory": 16 * 2**20,
    "history_days": 0.001,
    "predict_seconds": 5,
    "job_hours": 0.01,
    "tuning_share": 0.02,
}
_KNOWN = "known"
_PNG = {"content-type": "image/png"}
# Seconds in which a service that has much to do has done it.
_ENOUGH = 60.0


class Attacked:
    """A running service, whose state is bounded and of which one answer is known.

    Args:
        server: Ready.
        mode: Of access.
        keys: Made for it, in the order of ``_KEYS``.
        place: By which it is told to give memory back.
    """

    def __init__(self, server: Server, mode: str, keys: Sequence[str], place: str) -> None:
        self.server, self.keys = server, tuple(keys)
        self._place = place
        self._mode = mode
        self._whole = [self._fields(*one) for one in self._principals()]
        self._known: Any = None

    def credentials(self, draw: random.Random) -> list[Field]:
        """Fields of somebody whom the service knows."""
        if self._mode == "keys":
            key = draw.choice(self.keys).encode()
            return [draw.choice(((b"authorization", b"Bearer " + key), (b"x-api-key", key)))]
        return list(draw.choice(self._whole))

    def set_up(self) -> None:
        """Make what most requests are about, and ask what is asked again in the end."""
        with self._client(self._whole[0]) as http:
            self._fill(http, (_KNOWN,))
            _insist(http, "PUT", f"/v1/classifiers/{_KNOWN}", params={"wait": "tuned"}, json={})
            self._known = self._answer(http)
        self.clean()

    def clean(self) -> None:
        """Delete all but what is needed, and make that anew, for each tenant."""
        for fields in self._whole:
            with self._client(fields) as http:
                for path, name in (("classifiers", "name"), ("jobs", "id"), ("prompts", "name")):
                    self._delete_all(http, path, name)
                if self._mode == "keys":
                    self._revoke_all(http)
                self._fill(http, CLASSIFIERS)

    def memory(self) -> int:
        """Bytes that it has, without what it keeps for later."""
        give_back(self._place)
        return memory_of(self.server.process.pid)

    def fault_of_known(self) -> str | None:
        """What has become of the known answer; None: it is as it was."""
        with self._client(self._whole[0]) as http:
            found = self._answer(http)
        return None if found == self._known else f"{found!r} in the place of {self._known!r}"

    def _principals(self) -> list[tuple[str, str]]:
        """Administrators of all tenants: a key, and the tenant."""
        match self._mode:
            case "keys":
                return [(self.keys[0], ""), (self.keys[3], "a")]
            case "proxy":
                return [("", tenant) for tenant in TENANTS]
        return [("", "")]

    def _fields(self, key: str, tenant: str) -> list[Field]:
        match self._mode:
            case "keys":
                return [(b"authorization", f"Bearer {key}".encode())]
            case "proxy":
                fields = [
                    (b"x-forwarded-user", b"somebody"),
                    (b"x-forwarded-scopes", _ALL.replace(",", " ").encode()),
                ]
                return fields + [(b"x-forwarded-tenant", tenant.encode())] * bool(tenant)
        return []

    def _client(self, fields: Sequence[Field]) -> httpx.Client:
        headers = {name.decode(): value.decode() for name, value in fields}
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=120)

    @staticmethod
    def _fill(http: httpx.Client, names: Sequence[str]) -> None:
        for name in names:
            path = f"/v1/classifiers/{name}"
            _insist(http, "PUT", path, json={})
            for label, seed in (("ant", 1), ("bee", 2)):
                for one in (0, 10):
                    place, content = f"{path}/classes/{label}/images", picture(seed + one)
                    _insist(http, "POST", place, content=content, headers=_PNG)

    @staticmethod
    def _answer(http: httpx.Client) -> Any:
        """Predictions; what is told of recent queries besides changes with each."""
        path = f"/v1/classifiers/{_KNOWN}/predict"
        return _insist(http, "POST", path, content=picture(3), headers=_PNG).json()["predictions"]

    @staticmethod
    def _delete_all(http: httpx.Client, what: str, name: str) -> None:
        cursor = None
        while True:
            query: dict[str, str] = {"cursor": cursor} if cursor else {}
            page = _insist(http, "GET", f"/v1/{what}", params=query).json()
            for one in page[what]:
                if one[name] != _KNOWN:
                    http.delete(f"/v1/{what}/{one[name]}")
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _revoke_all(self, http: httpx.Client) -> None:
        mine = {key.split("_")[1] for key in self.keys}
        for one in _insist(http, "GET", "/v1/keys").json()["keys"]:
            if one["id"] not in mine and one["revoked_at"] is None:
                http.delete(f"/v1/keys/{one['id']}")


def _insist(http: httpx.Client, method: str, path: str, **what: Any) -> httpx.Response:
    """Ask until there is room for it; what was sent before may still be worked on."""
    end = time.monotonic() + _ENOUGH
    while (answer := http.request(method, path, **what)).status_code in UNAVAILABLE:
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    return answer.raise_for_status()


@contextmanager
def attacked(
    folder: Path, mode: str, backbone: str, planted: Callable[[], None] | None = None
) -> Iterator[Attacked]:
    """A service in one of ``MODES``, set up, for as long as the block takes.

    Args:
        folder: Of its data.
        mode: Of access.
        backbone: That it encodes with.
        planted: A bug of it.
    """
    settings: dict[str, object] = dict(_LIMITS, backbone=backbone, integrations=INTEGRATIONS)
    keys = []
    if mode == "keys":
        settings["auth"] = "keys"
        for options in _KEYS:
            made = run_handful("keys", "create", *options, "--data-dir", str(folder))
            made.check_returncode()
            keys.append(made.stdout.strip())
    elif mode == "proxy":
        settings |= {"auth": "proxy", "trusted_proxies": "127.0.0.1"}
    place = f"\0requests-{uuid4().hex}"
    before = partial(gives_back, place, planted)
    with Server.planted(folder, before, **settings) as server:
        service = Attacked(server, mode, keys, place)
        service.set_up()
        yield service
