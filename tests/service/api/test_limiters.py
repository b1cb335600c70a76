"""Limiters: each tenant has places of its own."""

from __future__ import annotations

import asyncio
import gc

from service.api.limiters import TenantLimiters


async def _taken() -> None:
    streams = TenantLimiters(3)
    mine = streams.of("maps")
    holders = [object() for _ in range(int(mine.total_tokens))]
    for holder in holders:
        mine.acquire_on_behalf_of_nowait(holder)
    assert streams.of("maps").available_tokens == 0
    assert streams.of("ours").available_tokens == mine.total_tokens
    del mine, holder
    gc.collect()
    assert streams.of("maps").available_tokens > 0  # nobody follows: nothing is kept of it


def test_a_tenant_takes_no_places_of_another_one() -> None:
    asyncio.run(_taken())
