"""What load to make, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OK = "200"
LOST = "connection lost"
UNANSWERED = "no answer in time"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request, to be sent as it is.

    Attributes:
        head: Request line and headers.
        body: What follows.
    """

    head: bytes
    body: bytes

    @classmethod
    def post(cls, path: str, body: bytes, media_type: str, key: str | None = None) -> Request:
        """A POST on a connection that stays open, by whoever has a key, where there are some."""
        lines = [
            f"POST {path} HTTP/1.1",
            "host: 127.0.0.1",
            f"content-type: {media_type}",
            f"content-length: {len(body)}",
        ]
        lines += [] if key is None else [f"authorization: Bearer {key}"]
        return cls("".join(f"{line}\r\n" for line in (*lines, "")).encode(), body)

    @classmethod
    def form(cls, path: str, files: Sequence[bytes], media_type: str, field: str) -> Request:
        """A POST of a multipart form with files in it, as browsers and curl -F send."""
        mark = "handful-benchmark-boundary"
        head = (
            f'--{mark}\r\ncontent-disposition: form-data; name="{field}"; filename="image"\r\n'
            f"content-type: {media_type}\r\n\r\n"
        ).encode()
        parts = b"".join(head + file + b"\r\n" for file in files)
        whole = parts + f"--{mark}--\r\n".encode()
        return cls.post(path, whole, f"multipart/form-data; boundary={mark}")


@dataclass(frozen=True, slots=True)
class Plan:
    """The load of one measurement.

    Attributes:
        port: Of the server, on this machine.
        requests: Sent in turn, over and over.
        connections: Closed loop: the concurrency; each sends its next request when the last is
            answered. Open loop: the most that may be open; what arrives while all of them wait
            for an answer waits too.
        seconds: Length of the measured window.
        warm_up: Seconds of the same load before it.
        rate: Arrivals a second, a Poisson process; None for a closed loop.
        seed: Of the arrivals.
        patience: Seconds after the window in which answers are waited for.
        rate_before: Arrivals a second in the warm-up, where the rate changes, without a pause, as
            the window begins; each arrival of the window is reported then.
    """

    port: int
    requests: Sequence[Request]
    connections: int
    seconds: float
    warm_up: float = 0.5
    rate: float | None = None
    seed: int = 0
    patience: float = 30.0
    rate_before: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured in the window.

    A closed loop counts the answers that came in the window; an open loop those to the requests
    that were due in it.

    Attributes:
        seconds: Length of the window.
        latencies: Seconds from sending to the whole answer, of answers with status 200,
            ascending. Open loop: from when the request was due, sent or not, so that a server
            that stalls is charged for all who had to wait.
        outcomes: Number of requests by status; also those without an answer.
        late: Open loop: 99th percentile of the seconds by which the generator itself sent too
            late though it had a connection free.
        processor: Processor seconds of the generator for each request, its start left out.
        arrivals: Where the rate has changed: when each request was due, in seconds from the
            beginning of the window, ascending, and its latency; infinite without status 200.
    """

    seconds: float
    latencies: Sequence[float]
    outcomes: Mapping[str, int]
    late: float
    processor: float
    arrivals: Sequence[tuple[float, float]] = ()

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return self.outcomes.get(OK, 0) / self.seconds

    @property
    def errors(self) -> int:
        """Requests without a good answer."""
        return sum(self.outcomes.values()) - self.outcomes.get(OK, 0)

    def latency(self, share: float) -> float:
        """A percentile of the latencies; infinite where there were none."""
        return percentile(self.latencies, share)


def percentile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed."""
    if not ascending:
        return math.inf
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]
