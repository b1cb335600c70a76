"""A short cut of ``python -m tests.campaigns.damage``, and the bug that it has to find."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.campaigns.damage.base import Base, made_by_a_service, made_without_a_service
from tests.campaigns.damage.damages import DAMAGES, OF_KILLED
from tests.campaigns.damage.flips import flipped
from tests.campaigns.damage.planted import PLANTED
from tests.campaigns.damage.rounds import Round, run


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


@pytest.mark.parametrize("kind", ["forty bytes", "log gone", "compiled image tower"])
def test_nothing_wrong_is_answered_unless_it_is_announced(
    bases: tuple[Base, Base], kind: str
) -> None:
    found = ran(bases, kind)
    assert found.failures == []
    assert found.outcome in ("told", "as before")
    if kind != "forty bytes":
        assert found.outcome == "told"


@pytest.mark.long
@pytest.mark.parametrize("kind", DAMAGES)
def test_each_kind_of_damage_is_announced(bases: tuple[Base, Base], kind: str) -> None:
    found = ran(bases, kind, seed=1)
    assert found.failures == []
    assert found.outcome != "nothing to damage"


@pytest.mark.long
def test_a_check_that_is_switched_off_is_found(bases: tuple[Base, Base]) -> None:
    rounds = (ran(bases, "forty bytes", seed, "unchecked") for seed in range(20))
    assert any(one.failures for one in rounds)
