"""A short cut of ``python -m tests.campaigns.damage``, and the bug that it has to find."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import httpx2 as httpx
import pytest

from tests.campaigns.damage import command, rounds
from tests.campaigns.damage.base import Base, made_by_a_service, made_without_a_service
from tests.campaigns.damage.damages import DAMAGES, OF_KILLED
from tests.campaigns.damage.flips import flipped
from tests.campaigns.damage.planted import PLANTED
from tests.campaigns.damage.rounds import Round, judge, run
from tests.service.server import Server

LOST = "handful.storage: damaged: structure: changes that were acknowledged last may be lost"
PAGES = "handful.storage: damaged: structure: *** in database main ***"
EMBEDDINGS = "handful.storage: damaged, and mended: embeddings: /v1/classifiers/a"
ANEW = "handful.runtime: the compiled model is made anew"


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Base]:
    return made_by_a_service(tmp_path_factory.mktemp("damage"))


def ran(bases: tuple[Base, Base], kind: str, seed: int = 0, planted: str = "") -> Round:
    return run(bases[kind in OF_KILLED], kind, Random(seed), PLANTED.get(planted))


def test_bytes_that_a_disk_has_changed_are_noticed(tmp_path: Path) -> None:
    base = tmp_path / "base.db"
    made_without_a_service(base)
    found = [flipped(base, tmp_path / "flipped.db", Random(seed)) for seed in range(12)]
    outcomes = Counter(one.outcome for one in found)
    assert outcomes["missed"] == 0, [one.rows for one in found]
    assert outcomes["noticed"] > 4


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("forty bytes", 5),
        # A row of `image_contents` that its page hides: the image is there, and its bytes are not.
        pytest.param("forty bytes", 0, marks=pytest.mark.xfail(reason="404 image-not-stored")),
        ("log gone", 0),
        ("compiled image tower", 0),
    ],
)
def test_nothing_wrong_is_answered_unless_it_is_announced(
    bases: tuple[Base, Base], kind: str, seed: int
) -> None:
    found = ran(bases, kind, seed)
    assert found.failures == []
    assert found.outcome in ("told", "as before")
    if kind != "forty bytes":
        assert found.outcome == "told"


def problem(status: int, type_: str) -> httpx.Response:
    return httpx.Response(status, json={"type": type_})


def judged(
    monkeypatch: pytest.MonkeyPatch, log: Path, answer: Any, said: str, meanwhile: str = ""
) -> Round:
    """What is said of an answer in the place of 1, of a service that had said something."""
    log.write_text(said)

    def asked(_: httpx.Client) -> Iterator[tuple[str, Any]]:
        with log.open("a") as file:
            file.write(meanwhile)
        yield "it", answer

    monkeypatch.setattr(rounds, "asked", asked)
    found = Round("a page")
    judge(httpx.Client(), {"it": 1}, log, found)
    return found


@pytest.mark.parametrize(
    ("answer", "said", "wrong"),
    [
        (1, "", 0),
        (2, LOST, 1),
        (problem(404, "not-found"), PAGES, 1),
        (problem(500, "classifier-damaged"), "", 0),
    ],
)
def test_what_is_as_before_or_was_announced_may_be_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str, wrong: int
) -> None:
    found = judged(monkeypatch, tmp_path / "log", answer, said)
    assert (found.failures, found.wrong) == ([], wrong)


@pytest.mark.parametrize(
    ("answer", "said", "meanwhile"),
    [
        (2, "", ""),
        (2, "", LOST),
        (2, EMBEDDINGS, ""),
        (2, PAGES, ""),
        (problem(404, "not-found"), "", PAGES),
        (problem(404, "not-found"), ANEW, ""),
        (problem(500, "internal-error"), PAGES, ""),
        (httpx.Response(500, text="no JSON"), PAGES, ""),
    ],
)
def test_what_was_not_announced_in_time_must_not_be_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str, meanwhile: str
) -> None:
    assert judged(monkeypatch, tmp_path / "log", answer, said, meanwhile).failures


class Standing:
    """In the place of a service: answers as it is told to."""

    def __init__(self, log: Path, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.log, self._answer = log, answer
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("its last words")

    def client(self) -> httpx.Client:
        transport = httpx.MockTransport(self._answer)
        return httpx.Client(transport=transport, base_url="http://service")

    def stop(self) -> int:
        return 0

    def __enter__(self) -> Standing:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def without_checks(request: httpx.Request) -> httpx.Response:
    return (
        httpx.Response(200, json={"storage": "sound"})
        if "readyz" in str(request.url)
        else (httpx.Response(200, text=""))
    )


def gone(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("it is gone")


@pytest.mark.parametrize(
    ("answer", "told"),
    [(without_checks, "no check has ended"), (gone, "it is gone")],
)
def test_a_round_that_does_not_come_to_its_end_is_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[httpx.Request], httpx.Response],
    told: str,
) -> None:
    def planted(folder: Path, *_: object, **__: object) -> Standing:
        return Standing(folder / "server.log", answer)

    monkeypatch.setattr(Server, "planted", planted)
    monkeypatch.setattr(rounds, "DAMAGES", {"none": lambda *_: True})
    monkeypatch.setattr(rounds, "_PATIENCE", 0.2)
    if answer is without_checks:
        monkeypatch.setattr(rounds, "asked", lambda _: iter(()))
    (tmp_path / "base").mkdir()
    found = run(Base(tmp_path / "base", tmp_path / "used", {}), "none", Random(0))
    [failure] = found.failures
    assert told in failure


def test_a_summary_is_of_its_own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"name": f"round {whose} 0", "kind": "a page", "outcome": "told", "wrong": 0}
        | {"failures": ["something"] * (whose != "as it is 0")}
        for whose in ("as it is 0", "as it is 1", "unchecked 0")
    ]
    (tmp_path / "found.jsonl").write_text("\n".join(map(json.dumps, lines)))
    arguments = ["damage", "--log", str(tmp_path), "--flips", "0", "--rounds", "1"]
    for more, status in (([], 0), (["--seed", "1"], 1), (["--planted", "unchecked"], 1)):
        monkeypatch.setattr(sys, "argv", arguments + more)
        assert command.main() == status


def other_embeddings(folder: Path, _: Random) -> bool:
    """All images get those of one, with the checksums that they had."""
    with closing(sqlite3.connect(folder / "data" / "handful.db")) as connection, connection:
        first = "(SELECT {0} FROM images ORDER BY id LIMIT 1)"
        both = ", ".join(f"{name} = {first.format(name)}" for name in ("frozen", "corrected"))
        return connection.execute(f"UPDATE images SET {both}").rowcount > 1


@pytest.mark.parametrize("planted", ["", "unchecked-reads"])
def test_what_is_wrong_until_the_check_tells_is_found(
    bases: tuple[Base, Base], monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    monkeypatch.setattr(rounds, "DAMAGES", {"other embeddings": other_embeddings})
    found = ran(bases, "other embeddings", planted=planted)
    assert found.outcome == "told"
    assert any("predict textures" in one for one in found.failures) == bool(planted), found


@pytest.mark.long
@pytest.mark.parametrize("kind", DAMAGES)
def test_each_kind_of_damage_is_announced(bases: tuple[Base, Base], kind: str) -> None:
    found = ran(bases, kind, seed=1)
    assert found.failures == []
    assert found.outcome != "nothing to damage"


@pytest.mark.long
def test_a_check_that_is_switched_off_is_found(bases: tuple[Base, Base]) -> None:
    rounds = (ran(bases, "forty bytes", seed, "unchecked") for seed in range(20))
    assert any("is another answer" in one for found in rounds for one in found.failures)
