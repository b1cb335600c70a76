"""What torchrun tells the processes of one run, for tests that start them otherwise."""

from __future__ import annotations

import socket


def environments(ranks: int) -> list[dict[str, str]]:
    """Environment variables of each process of a run on this machine, on a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
    }
    return [run | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(ranks)]
