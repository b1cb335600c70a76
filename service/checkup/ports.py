"""The port: whether somebody has it already. Nothing listens on it for that."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

from service.checkup.finding import Finding, ok, problem, warning
from service.settings import Settings

_SECONDS = 2.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with


def look_at_ports(settings: Settings) -> Iterator[Finding]:
    """Look at the address that the service is to listen on."""
    host, port = settings.host, settings.port
    if port == 0:
        yield ok("any port that is free")
        return
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield problem(f"{host} is no address of this machine: {error}", "look at HANDFUL_HOST")
        return
    family = addresses[0][0]
    if not _is_ours(family, host):
        yield problem(f"{host} is no address of this machine", "look at HANDFUL_HOST")
        return
    if port < 1024 and not _may_take(port):
        yield warning(f"port {port} is for privileged users", "take one from 1024 on")
    said = _answer(_ANY.get(host, host), port)
    if said is None:
        yield ok(f"nobody listens on {host}:{port}")
    else:
        yield warning(
            f"somebody listens on {host}:{port} already: {said}",
            "stop it, or take another port (HANDFUL_PORT), before another service is started",
        )


def _is_ours(family: int, host: str) -> bool:
    """Whether something here could listen there; asked with a port of the kernel's choice."""
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        try:
            trial.bind((host, 0))
        except OSError:
            return False
    return True


def _may_take(port: int) -> bool:
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as told:
            if port >= int(told.read()):
                return True
        with open("/proc/self/status") as told:
            [line] = [line for line in told if line.startswith("CapEff:")]
        return bool(int(line.split()[1], 16) & 1 << 10)  # CAP_NET_BIND_SERVICE
    except (OSError, ValueError):
        return True


def _answer(host: str, port: int) -> str | None:
    """Who answers; None: nobody."""
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.connect()
    except OSError:
        return None
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(1000)
    except (OSError, http.client.HTTPException):
        return "it does not speak HTTP"
    finally:
        connection.close()
    if answer.status == 200 and b'"ready"' in body:
        return "a Handful that is ready"
    return f"/readyz answers {answer.status}"
