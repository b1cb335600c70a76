"""A relay of connections, to stand in a network namespace: from one HOST:PORT to another."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

READY = "relaying"


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(2**16):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _relay(listen: tuple[str, int], to: tuple[str, int]) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, back), _carry(there, writer))

    async with await asyncio.start_server(accepted, *listen) as server:
        print(READY, flush=True)
        await server.serve_forever()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    asyncio.run(_relay(*map(_address, sys.argv[1:])))
