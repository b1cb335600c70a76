"""Handful behind PgBouncer in transaction mode, where no session is anybody's own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, text

from adapters.backbones import Backbone
from service.problems import StorageUnavailable
from service.settings import Settings
from service.settings.postgresql import PostgreSQLSettings
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.notifications import Notifications
from tests.service.clusters import shared
from tests.service.pgbouncer import pooled
from tests.service.postgres import administrator, fresh_database, url
from tests.service.registries import fill, image, plain_store, registry

SESSIONS = 3
POOLED = PostgreSQLSettings(
    database_transaction_pooling=True,
    database_pool_size=8,
    database_pool_overflow=8,
    database_statement_seconds=7,
)


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """The URL of an empty database by PgBouncer's port."""
    with pooled(shared(), SESSIONS) as port, fresh_database() as name:
        yield url(name, port)


@pytest.fixture
def engine(place: str) -> Iterator[Engine]:
    opened = open_database(place, 5, POOLED)
    yield opened
    opened.dispose()


def test_without_the_setting_the_error_names_it(place: str) -> None:
    with pytest.raises(StorageError, match="HANDFUL_DATABASE_TRANSACTION_POOLING=true"):
        open_database(place, 5)


def test_what_needs_a_session_is_refused_or_left_out(engine: Engine, place: str) -> None:
    assert Notifications.of(engine) is None
    with pytest.raises(ValidationError, match="HANDFUL_RATE_LIMITS=machine"):
        Settings(database_url=place, rate_limits="database", database_transaction_pooling=True)


def test_more_threads_than_sessions_lose_nothing(engine: Engine, backbone: Backbone) -> None:
    both = [
        registry(plain_store(engine, backbone), backbone, one_of_several=True) for _ in range(2)
    ]
    fill(both[0], "a", "b")

    def client(number: int) -> None:
        for step in range(8):  # statements are prepared after five times otherwise
            seed = 100 + (step if number % 2 else 7 - step)
            made = both[number % 2]
            for name in "ab" if number < 3 else "ba":
                made.add_images(name, [("ant", image(seed)), ("bee", image(seed + 50))])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(client, range(6)))
    for made in both:
        for name in "ab":
            assert len(made.live(name).support) == 4 + 16


def test_time_outs_are_those_of_each_transaction_and_of_nobody_else(
    engine: Engine, place: str
) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "5s"
        assert connection.scalar(text("SHOW statement_timeout")) == "7s"
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('statement_timeout', '50', true)"))
        with pytest.raises(StorageUnavailable) as refused:
            connection.execute(text("SELECT pg_sleep(20)"))
        assert "took too long" in str(refused.value.detail)
    plain = open_database(place, 5, PostgreSQLSettings(database_transaction_pooling=True))
    with plain.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "1min"
    plain.dispose()
    with administrator(place.rpartition("/")[2]) as other:
        used = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    assert used is not None
    assert used[0] <= SESSIONS + 1
