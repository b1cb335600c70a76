"""A connection to one address, which was checked, for as long as a deadline lets it be."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from time import monotonic
from typing import Any

import httpcore2


class TimedBackend(httpcore2.NetworkBackend):
    """A network backend that connects to one address, whatever the name of the host.

    Names are not looked up here: who has looked one up and checked the address connects to that
    very address. The name remains that of the request, and of the certificate.

    Args:
        address: Literally.
        deadline: By the monotonic clock; each operation may take what is left until then.
    """

    def __init__(self, address: str, deadline: float) -> None:
        self._address = address
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the address.

        Raises:
            ConnectError, ConnectTimeout: It cannot be.
        """
        stream = httpcore2.SyncBackend().connect_tcp(
            self._address, port, timeout=left(self._deadline)
        )
        return _TimedStream(stream, self._deadline)


class _TimedStream(httpcore2.NetworkStream):
    """A stream each of whose operations may take what is left until a deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, left(self._deadline))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def left(deadline: float) -> float:
    """Seconds until a deadline.

    Raises:
        ReadTimeout: There are none.
    """
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise httpcore2.ReadTimeout
    return seconds
