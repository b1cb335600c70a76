"""Settings of the port: addresses, proxies, connections, the end."""

from __future__ import annotations

import re

from pydantic import BaseModel, Field, field_validator

from service.hosts import Addresses, Hosts, Origins


class ServingSettings(BaseModel):
    """Settings of the port: addresses, proxies, connections, the end."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    root_path: str = Field(
        "", description="Path under which a reverse proxy shows the service, such as /handful."
    )
    trusted_proxies: Addresses = Field(
        [],
        description="Addresses and networks of reverse proxies whose X-Forwarded-For and"
        " X-Forwarded-Proto are believed, separated by commas; * for all.",
    )
    cors_origins: Origins = Field(
        [],
        description="Origins whose web pages may use the service, such as"
        " https://app.example.com, separated by commas; * for all.",
    )
    allowed_hosts: Hosts = Field(
        [],
        description="Host names that requests may be sent to, separated by commas;"
        " *.example.com for all below. By default any, but only localhost where host is that.",
    )
    max_connections: int = Field(
        4096,
        gt=0,
        description="Most connections of a process; beyond them the one is closed that has waited"
        " longest without a complete request.",
    )
    max_head_bytes: int = Field(
        64 * 1024, ge=1024, description="Largest request line with its header fields."
    )
    head_seconds: float = Field(
        20, gt=0, description="Longest that a client may take to send a request's head."
    )
    stall_seconds: float = Field(
        20, gt=0, description="Longest that a request's body or the reader of an answer may pause."
    )
    min_bytes_per_second: float = Field(
        500, gt=0, description="Least speed of a body or an answer on its way, on average."
    )
    keep_alive_seconds: float = Field(
        75, gt=0, description="Longest that a connection stays open without a request."
    )
    shutdown_seconds: float = Field(
        25,
        gt=0,
        description="Longest from SIGTERM to the end; what is not answered by then is cut off.",
    )
    processes: int = Field(
        1,
        ge=1,
        description="Processes that serve the port, before one encoder process a GPU: more than one"
        " where a GPU encodes more images than one process can receive.",
    )

    @field_validator("root_path")
    @classmethod
    def _a_path(cls, root_path: str) -> str:
        """With a slash before and none behind, as ASGI has it."""
        stripped = root_path.strip("/")
        if stripped.partition("/")[0] == "v1" or not re.fullmatch(r"[\w.~/-]*", stripped, re.A):
            raise ValueError(
                "write a path such as /handful, of letters, digits and -._~; not /v1, which is"
                " the service's own"
            )
        return f"/{stripped}" if stripped else ""
