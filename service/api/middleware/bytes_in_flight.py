"""Admission control by bytes: how much of requests the process holds in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from prometheus_client import Counter, Gauge
from starlette.requests import Request
from starlette.types import Scope

from service.problems import Overloaded

IN_FLIGHT = Gauge(
    "handful_bytes_in_flight",
    "Bytes of requests that are held in memory.",
    multiprocess_mode="livesum",
)
REFUSED = Counter(
    "handful_refused_bytes_requests", "Requests refused because too many bytes are in flight."
)

_MIB = 2**20
# What a request may hold and still use all of the budget; larger ones leave a quarter of it, so
# that no number of large uploads shuts ordinary queries out.
_SMALL = _MIB
_RETRY_SECONDS = 2
_KEY = "handful.account"


class BytesInFlight:
    """A budget of bytes that all requests of a process share. Thread-safe.

    Bytes count as they come, not as they are declared: a client that declares much and sends
    nothing holds nothing. Whoever would exceed the budget is refused, and gives back what it has.
    A request that is alone is never refused, however large.

    Args:
        most: Bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._lock = Lock()

    @contextmanager
    def account(self, scope: Scope) -> Iterator[Account]:
        """What one request holds, to be had by :func:`account_of`; given back in the end."""
        account = scope[_KEY] = Account(self)
        try:
            yield account
        finally:
            account.close()

    def fits(self, account: Account, more: int) -> bool:
        """Whether a request could hold so much more now."""
        others = self._held - account.held
        mine = account.held + more
        return others == 0 or others + mine <= (
            self._most if mine <= _SMALL else self._most * 3 // 4
        )

    def take(self, account: Account, more: int) -> bool:
        """Let a request hold so much more, if it fits; or less."""
        with self._lock:
            if more > 0 and not self.fits(account, more):
                return False
            account.held += more
            self._held += more
        IN_FLIGHT.inc(more)
        return True


class Account:
    """What one request holds of the budget, in bytes."""

    def __init__(self, budget: BytesInFlight) -> None:
        self._budget = budget
        self.held = 0

    def expect(self, more: int) -> None:
        """See whether so much would fit, without taking it.

        Raises:
            Overloaded: It would not.
        """
        if not self._budget.fits(self, more):
            raise _refusal()

    def take(self, more: int) -> None:
        """Hold so much more until the request ends.

        Raises:
            Overloaded: It does not fit beside what others hold.
        """
        if not self._budget.take(self, more):
            raise _refusal()

    def close(self) -> None:
        """Give back all that is held; may be called again."""
        self._budget.take(self, -self.held)


def account_of(request: Request) -> Account:
    """The account of a request, for what is unpacked of it or read for its answer."""
    account: Account = request.scope[_KEY]
    return account


def _refusal() -> Overloaded:
    REFUSED.inc()
    return Overloaded(
        "The requests that are being received and worked on take all the bytes that are admitted "
        f"(HANDFUL_MAX_BYTES_IN_FLIGHT). Send the request again in {_RETRY_SECONDS} s, or smaller.",
        headers={"retry-after": str(_RETRY_SECONDS)},
    )
