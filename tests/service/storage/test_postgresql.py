"""Handful on PostgreSQL: failures of the server, services that start together, two backbones."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Engine

from adapters.backbones import Backbone
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.problems import (
    InvalidUpload,
    KeyNotFound,
    OtherBackbone,
    OutcomeUnknown,
    StorageUnavailable,
)
from service.settings.postgresql import PostgreSQLSettings
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.fingerprints import Origin
from service.storage.keys import revoke_key
from service.storage.store import Store
from service.storage.tables import Base
from tests.service.client import Classifier, of_four, problem
from tests.service.pictures import picture
from tests.service.postgres import Wire, administrator, fresh_database, url
from tests.service.registries import embeddings, fill, image, plain_store, registry
from tests.service.server import Server, run_handful

SECONDS = 1.0


@pytest.fixture
def database() -> Iterator[str]:
    with fresh_database() as name:
        yield name


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


@pytest.fixture
def engine(database: str, wire: Wire) -> Iterator[Engine]:
    opened = open_database(url(database, wire.port), SECONDS)
    yield opened
    opened.dispose()


def store_of(engine: Engine) -> Store:
    return Store(engine, Origin("f" * 64, "lite"))


def create(store: Store, name: str) -> None:
    ants = (NewClass(label="ant"),)
    store.create(name, Change(settings=ClassifierSettings(), tuning=Tuning(), classes_added=ants))


def test_processes_that_start_together_on_an_empty_database_all_start(database: str) -> None:
    def start(number: int) -> subprocess.CompletedProcess[str]:
        return run_handful("keys", "create", "--name", str(number), database_url=url(database))

    with ThreadPoolExecutor(3) as threads:
        for done in threads.map(start, range(3)):
            assert done.returncode == 0, done.stderr


def test_a_state_is_the_same_however_it_is_read(engine: Engine) -> None:
    store = store_of(engine)
    create(store, "a")
    stored = store.load("a")
    assert stored is not None
    assert store.state("a") == stored.record.state
    assert store.write(stored.record.state, Change(tuning=Tuning())).revision == 1


def test_connections_that_were_ended_are_made_again(engine: Engine, database: str) -> None:
    store = store_of(engine)
    create(store, "a")
    with administrator() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
        )
    assert store.state("a") is not None
    create(store, "b")


def test_a_cut_connection_is_a_problem_until_it_is_mended(engine: Engine, wire: Wire) -> None:
    store = store_of(engine)
    create(store, "a")
    wire.cut()
    for call in (store.classifiers, lambda: store.load("a"), lambda: create(store, "b")):
        with pytest.raises(StorageUnavailable) as refused:
            call()
        assert "connection was lost" in str(refused.value.detail)
        assert "postgres@" not in str(refused.value.detail)
    wire.mend()
    assert [one.name for one in store.classifiers()] == ["a"]
    create(store, "b")


def test_a_commit_whose_answer_is_lost_is_told_as_that_and_followed(
    engine: Engine, wire: Wire, backbone: Backbone
) -> None:
    made = registry(plain_store(engine, backbone), backbone, memory=10**9, one_of_several=True)
    fill(made, "a")
    assert len(made.live("a").support) == 4
    wire.cut_after(b"COMMIT\0")
    with pytest.raises(OutcomeUnknown) as refused:
        made.add_images("a", [("ant", image(50))])
    assert "whether the change was made is not known" in str(refused.value.detail)
    assert len(made.live("a").support) == 5
    [again] = made.add_images("a", [("ant", image(50))])
    assert not again.created


def test_a_locked_table_raises_storage_unavailable_in_time(engine: Engine, database: str) -> None:
    store = store_of(engine)
    with administrator(database) as other, other.transaction():
        other.execute("LOCK TABLE classifiers IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        with pytest.raises(StorageUnavailable) as refused:
            create(store, "a")
        assert "locked for too long" in str(refused.value.detail)
        assert time.monotonic() - begun < 30 * SECONDS
    create(store, "a")


def test_a_file_name_with_nul_is_refused_and_nothing_is_written(
    engine: Engine, backbone: Backbone
) -> None:
    made = registry(plain_store(engine, backbone), backbone)
    fill(made, "a")
    named = replace(image(50), filename="a\0.png")
    with pytest.raises(InvalidUpload) as refused:
        made.add_images("a", [("ant", named)])
    assert r"a\x00.png" in str(refused.value.detail)
    assert len(made.live("a").support) == 4
    assert len(made.add_images("a", [("ant", image(50))])) == 1


def test_a_key_whose_id_has_nul_is_none(engine: Engine) -> None:
    with pytest.raises(KeyNotFound):
        revoke_key(engine, "\0", None)


def test_another_programs_tables_are_refused_by_name(database: str) -> None:
    engine = open_database(url(database))
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.exec_driver_sql(f"DROP TABLE {table.name}")
        connection.exec_driver_sql("CREATE TABLE invoices (id int)")
    engine.dispose()
    with pytest.raises(StorageError, match=r"another program.*invoices"):
        open_database(url(database))


def test_registries_on_one_database_lose_nothing_and_share_images(
    database: str, backbone: Backbone
) -> None:
    engine = open_database(url(database), 30)
    both = [
        registry(plain_store(engine, backbone), backbone, one_of_several=True) for _ in range(2)
    ]
    fill(both[0], "a", "b")

    def client(number: int) -> None:
        for step in range(6):
            seed = 100 + (step if number % 2 else 5 - step)  # the same ones, in both orders
            made = both[number % 2]
            for name in "ab" if number < 2 else "ba":
                made.add_images(name, [("ant", image(seed)), ("bee", image(seed + 50))])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(client, range(4)))
    for made in both:
        for name in "ab":
            [answer] = made.live(name).predict(embeddings(999), 1, 1000)
            assert len(answer.evidence) == 4 + 12
    engine.dispose()


def test_a_pool_of_one_connection_is_enough(database: str, backbone: Backbone) -> None:
    one = PostgreSQLSettings(database_pool_size=1, database_pool_overflow=0)
    engine = open_database(url(database), 20, one)
    made = registry(plain_store(engine, backbone), backbone, one_of_several=True)
    fill(made, "a")

    def client(number: int) -> None:
        made.add_images("a", [("ant", image(100 + number))])
        made.live("a").predict(embeddings(999), 1, 1000)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(client, range(18)))
    assert len(made.live("a").support) == 4 + 18
    engine.dispose()


def test_of_two_backbones_that_make_their_first_classifier_at_once_one_is_refused(
    engine: Engine,
) -> None:
    stores = [Store(engine, Origin(digit * 64, f"backbone {digit}")) for digit in "01"]
    barrier = Barrier(2)

    def first(store: Store) -> bool:
        barrier.wait(30)
        try:
            create(store, f"of-{store.fingerprint[0]}")
        except OtherBackbone:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(first, stores)) == [False, True]
    assert len(stores[0].classifiers()) == 1


@dataclass(frozen=True)
class Two:
    """Services with different backbones that were started together on one fresh database."""

    here: Server
    there: Server
    wire: Wire
    database: str
    backbones: tuple[str, str]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, tiny_vit: Callable[[int], str]) -> Iterator[Two]:
    folder, names = tmp_path_factory.mktemp("two"), (tiny_vit(0), tiny_vit(1))
    with fresh_database() as database, Wire() as wire, ThreadPoolExecutor(2) as threads:
        starting = [
            threads.submit(
                Server.ready,
                folder / str(number),
                backbone=name,
                database_url=url(database, port),
                database_seconds=SECONDS,
            )
            for number, (name, port) in enumerate(zip(names, (wire.port, None), strict=True))
        ]
        with starting[0].result() as here, starting[1].result() as there:
            yield Two(here, there, wire, database, names)
            for server in (here, there):
                server.stop()
                assert "Traceback" not in server.log.read_text()


def test_without_its_database_server_a_service_answers_503_and_goes_on_after(two: Two) -> None:
    with two.here.client() as http:
        made = of_four(http, "cut")
        answer = made.predictions(picture(1))
        two.wire.cut()
        try:
            # What others have changed meanwhile cannot be known, so that this might be stale.
            for refused in (made.predict(picture(1)), made.post("ant", picture(9)), made.put()):
                problem(refused, 503, "storage-unavailable", "connection was lost")
                assert refused.headers["retry-after"]
            assert http.get("/healthz").status_code == 200
        finally:
            two.wire.mend()
        assert made.predictions(picture(1)) == answer
        assert made.post("ant", picture(9)).status_code == 201
        http.delete(made.url).raise_for_status()


def test_text_that_postgresql_has_not_is_refused_or_nobodys(two: Two) -> None:
    with two.here.client() as http:
        made = of_four(http, "nul")
        for parameters in ({"prefix": "\0"}, {"metadata": "a=\0"}):
            answer = http.get("/v1/classifiers", params=parameters)
            problem(answer, 422, "request-validation-failed")
        for name in ("key_id", "classifier", "action"):
            answer = http.get("/v1/audit", params={name: "\0"})
            problem(answer, 422, "request-validation-failed")
        problem(http.get("/v1/jobs/%00"), 404, "job-not-found")
        answer = http.post(f"{made.url}/images/delete", json={"images": ["\0"]})
        problem(answer, 404, "image-not-found")
        http.delete(made.url).raise_for_status()


def test_two_backbones_on_one_database_never_meet(two: Two, tmp_path: Path) -> None:
    """The last one here: it moves the database to the other backbone."""
    mend = f"handful re-embed --backbone {two.backbones[1]}"
    with two.here.client() as http, two.there.client() as other:
        mine = of_four(http, "meeting")
        theirs = Classifier(other, "meeting")
        for refused in (
            theirs.predict(picture(1)),
            theirs.post("ant", picture(9)),
            theirs.put(method="tip-adapter"),
            other.get(theirs.url),
            other.get(f"{theirs.url}/report"),
            Classifier(other, "own").put(),
        ):
            problem(refused, 503, "other-backbone", "Restart the service with", mend)
        [listed] = other.get("/v1/classifiers").json()["classifiers"]
        assert "another backbone" in listed["problem"]
        [listed] = http.get("/v1/classifiers").json()["classifiers"]
        assert listed["problem"] is None
        before = mine.predictions(picture(1))

        moved = run_handful(
            "re-embed", "--backbone", two.backbones[1], database_url=url(two.database)
        )
        assert moved.returncode == 0, moved.stderr
        # It has the old one in memory, and does not answer from it.
        for refused in (mine.predict(picture(1)), mine.post("ant", picture(9)), mine.put()):
            problem(refused, 503, "other-backbone", two.backbones[1])
        assert theirs.counts() == {"ant": 2, "bee": 2}
        [answer] = theirs.predictions(picture(1))
        assert answer["evidence"][0]["similarity"] == pytest.approx(1, abs=1e-4)
        assert theirs.predictions(picture(1)) != before
