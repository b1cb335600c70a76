"""Key ring: all valid keys in memory, as fresh as is promised of a revocation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic, sleep, time

from sqlalchemy import Engine

from service.access.key_text import id_of, matches
from service.access.limits import NO_LIMITS, TenantLimits
from service.access.principal import Principal
from service.problems import KeyRequired, KeysUnavailable
from service.quotas.request_quota import Policy, policies_of
from service.storage.keys import Access, access_version, read_access
from service.storage.stored_keys import StoredKey

logger = logging.getLogger("handful")

# Seconds between two looks at the counter of changes, and after which an answer of it counts no
# more: together less than the 5 s within which a revoked key stops.
EVERY = 1.0
STALE = 4.0
# Seconds between two looks for keys that are not known: all who bring some wait for one look.
_AGAIN = 0.05

_NO_KEY = (
    "Send a key as Authorization: Bearer KEY, or as x-api-key. An administrator makes them with "
    "POST /v1/keys, or with handful keys create where the service runs."
)
_WRONG_KEY = (
    "The key is not valid: it is none of this service's, was revoked or has expired. Ask an "
    "administrator for another."
)
_NO_SESSION = (
    "The session has ended, or its key has. Log in again, by POST /v1/session with a key, or send "
    "one as Authorization: Bearer KEY."
)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a key.

    Attributes:
        principal: What they are to the service.
        policies: What they may send a second, with that key and in that tenant.
    """

    principal: Principal
    policies: tuple[Policy, ...]


class KeyRing:
    """All keys that are valid, and the limits of tenants, in the memory of a process.

    A thread asks the database for one counter each second and reads keys again where it has
    changed, so no request waits for the database once the service has started. Only a key that is
    not known lets it be asked earlier: it may have just been made, by another process. However many
    such keys come, that is one look in 50 ms, and none of them is remembered.

    Args:
        engine: Of the database.
        defaults: Limits of tenants that were given none.

    Attributes:
        used: When keys were used since somebody took this dictionary away (seconds since 1970).
    """

    def __init__(self, engine: Engine, defaults: TenantLimits = NO_LIMITS) -> None:
        self.used: dict[str, float] = {}
        self._engine = engine
        self._defaults = defaults
        self._lock = Lock()
        self._access = Access(-1, {}, {})
        self._holders: dict[str, Holder] = {}
        self._fresh = -STALE  # when the look began that was answered last
        self._looked = 0.0
        self._next_look: asyncio.Future[None] | None = None
        self._ended, self._woken = False, Event()
        self.look()
        self._thread = Thread(target=self._watch, name="keys", daemon=True)
        self._thread.start()

    async def holder(self, text: str | None) -> Holder:
        """Who holds a key; for the event loop's thread.

        Args:
            text: As it was sent; None: none was.

        Raises:
            KeyRequired: It is no valid key.
            KeysUnavailable: Nobody knows.
        """
        if text is None:
            raise KeyRequired(_NO_KEY)
        key_id = id_of(text)
        if key_id is None:
            raise KeyRequired(_WRONG_KEY)
        key = await self._known(key_id)
        if not matches(text, key.digest if key else None) or key is None or _has_ended(key):
            raise KeyRequired(_WRONG_KEY)
        self.used[key_id] = time()
        return self._holders.get(key_id) or self._held(key)

    async def holder_in_session(self, key_id: str | None) -> Holder:
        """Who holds the key that a session was begun with; for the event loop's thread.

        Args:
            key_id: Its public id; None: there is no such session, or not any more.

        Raises:
            KeyRequired: The key is not valid any more.
            KeysUnavailable: Nobody knows.
        """
        if key_id is None:
            raise KeyRequired(_NO_SESSION)
        key = await self._known(key_id)
        if key is None or _has_ended(key):
            raise KeyRequired(_NO_SESSION)
        self.used[key_id] = time()
        return self._holders.get(key_id) or self._held(key)

    def is_valid(self, key_id: str) -> bool:
        """Whether a key that was valid once still is, as far as is known."""
        key = self._access.keys.get(key_id)
        return key is not None and not _has_ended(key) and monotonic() - self._fresh <= STALE

    def look(self) -> None:
        """Ask the database whether keys or limits have changed, and read them where they have."""
        with self._lock:
            begun = self._looked = monotonic()
            if access_version(self._engine) != self._access.version:
                self._access = read_access(self._engine)
                self._holders = {}
            self._fresh = begun

    def limits(self, tenant: str) -> TenantLimits:
        """Limits of a tenant."""
        return self._access.limits.get(tenant, NO_LIMITS).over(self._defaults)

    def tenant_policies(self, tenant: str) -> list[Policy]:
        """What a tenant may send a second, with all its keys together."""
        return policies_of(self.limits(tenant), "tenant", tenant)

    def policies(self, principal: Principal) -> Sequence[Policy]:
        """What somebody may send a second; those of a key alone as long as it is there."""
        key = self._access.keys.get(principal.key_id or "")
        if key is None:
            return self.tenant_policies(principal.tenant)
        return self._held(key).policies

    def taken_use(self) -> dict[str, float]:
        """When keys were used since the last call."""
        used, self.used = self.used, {}
        return used

    def close(self) -> None:
        """Stop the thread."""
        self._ended = True
        self._woken.set()
        self._thread.join()

    def wake(self) -> None:
        """Keys or limits were changed by others: look now; does not block."""
        self._woken.set()

    async def _known(self, key_id: str) -> StoredKey | None:
        """A key, valid or ended a moment ago; None where there is none.

        Raises:
            KeysUnavailable: Nobody knows.
        """
        if key_id not in self._access.keys:
            await self._look_soon()
        if monotonic() - self._fresh > STALE:
            raise KeysUnavailable
        return self._access.keys.get(key_id)

    def _held(self, key: StoredKey) -> Holder:
        terms = key.terms
        holder = Holder(
            Principal(
                tenant=terms.tenant,
                key_id=key.key_id,
                scopes=terms.scopes,
                classifiers=terms.classifiers,
            ),
            (
                *policies_of(terms.rates, "key", key.key_id),
                *self.tenant_policies(terms.tenant),
            ),
        )
        self._holders[key.key_id] = holder
        return holder

    def _watch(self) -> None:
        failing = False
        while True:
            if self._woken.wait(EVERY) and not self._ended:
                sleep(max(0.0, self._looked + _AGAIN - monotonic()))  # however many change keys
            self._woken.clear()
            if self._ended:
                return
            try:
                self.look()
                failing = False
            except Exception as error:  # whatever it is: keys are not taken for valid for long
                if not failing:
                    logger.warning("keys cannot be checked: %s", error)
                failing = True

    async def _look_soon(self) -> None:
        """Wait for a look that begins after this call."""
        if self._next_look is None:
            self._next_look = asyncio.ensure_future(self._look_once())
        await asyncio.shield(self._next_look)

    async def _look_once(self) -> None:
        await asyncio.sleep(max(0.0, self._looked + _AGAIN - monotonic()))
        self._next_look = None  # who comes from now on needs a later one
        try:
            await asyncio.to_thread(self.look)
        except Exception as error:
            raise KeysUnavailable from error


def _has_ended(key: StoredKey) -> bool:
    ends = key.ends_at
    return ends is not None and ends.timestamp() <= time()
