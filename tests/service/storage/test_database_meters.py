"""Rate limits that replicas share: together they give what one would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Engine

from service.quotas.gcra import Balance, Charge
from service.settings import Settings
from service.storage.database_meters import DatabaseMeters
from service.storage.engine import open_database
from tests.service.postgres import Wire, administrator, fresh_database, url

REPLICAS, CLIENTS = 3, 8


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with fresh_database() as name:
        open_database(url(name)).dispose()
        yield name


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


@pytest.fixture
def engine(database: str, wire: Wire) -> Iterator[Engine]:
    opened = open_database(url(database, wire.port), 1.0)
    yield opened
    opened.dispose()


async def taken(meters: DatabaseMeters, charges: Sequence[Charge]) -> list[Balance]:
    found = meters.take(charges)
    return found if isinstance(found, list) else await found


def test_replicas_together_give_what_one_would(engine: Engine) -> None:
    rate, seconds = 50.0, 1.0
    begin = Barrier(REPLICAS)

    def replica(_: int) -> tuple[int, float, float]:
        begin.wait(30)
        meters = DatabaseMeters(engine)  # all make the table at once
        begin.wait(30)
        begun = time.time()

        async def client() -> int:
            given = 0
            while time.time() < begun + seconds:
                [tenant, _] = await taken(
                    meters, [Charge("shared", 1, rate), Charge("large", 1, 1e6)]
                )
                given += not tenant.wait
            return given

        async def clients() -> int:
            return sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))

        given = asyncio.run(clients())
        assert not meters._failing
        meters.close()
        return given, begun, time.time()

    with ThreadPoolExecutor(REPLICAS) as threads:
        ran = list(threads.map(replica, range(REPLICAS)))
    lasted = max(end for _, _, end in ran) - min(begun for _, begun, _ in ran)
    given = sum(one for one, _, _ in ran)
    # A full bucket, and what came while they asked.
    assert rate * 1.2 < given <= 1 + rate + rate * lasted, (given, lasted)


def test_what_is_refused_takes_nothing_and_is_told_as_it_is_elsewhere(engine: Engine) -> None:
    here, there = DatabaseMeters(engine), DatabaseMeters(engine)

    async def walk() -> None:
        both = [Charge("key", 1, 100.0), Charge("tenant", 1, 1.0)]
        [key, tenant] = await taken(here, both)
        assert (key.wait, tenant.wait, tenant.left) == (0, 0, 0)
        assert key.left == pytest.approx(99, abs=1)
        [_, tenant] = await taken(there, both)
        assert tenant.wait == pytest.approx(1, abs=0.5)
        [key] = await taken(there, [Charge("key", 98, 100.0)])
        assert key.wait == 0

    asyncio.run(walk())
    here.close()
    there.close()


def test_without_the_database_each_counts_for_itself_and_nobody_waits_long(
    engine: Engine, wire: Wire, database: str
) -> None:
    meters = DatabaseMeters(engine)
    charge = [Charge("cut", 1, 0.01)]

    async def walk() -> None:
        assert not (await taken(meters, charge))[0].wait
        with administrator(database) as other, other.transaction():
            other.execute("LOCK TABLE handful_rate_meters")
            begun = time.monotonic()
            # This process has not counted that bucket before.
            assert [(await taken(meters, charge))[0].wait > 0 for _ in range(3)] == [
                False,
                True,
                True,
            ]
            assert time.monotonic() - begun < 5
        await asyncio.sleep(1.1)
        assert (await taken(meters, charge))[0].wait > 50
        wire.cut()
        assert (await taken(meters, [Charge("other", 1, 0.01)]))[0].wait == 0
        wire.mend()
        await asyncio.sleep(1.1)
        assert (await taken(meters, [Charge("other", 1, 0.01)]))[0].wait == 0

    asyncio.run(walk())
    meters.close()


def test_they_are_for_postgresql() -> None:
    with pytest.raises(ValueError, match="HANDFUL_RATE_LIMITS=machine"):
        Settings(rate_limits="database", auth="keys")
