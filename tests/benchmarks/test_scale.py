"""The arithmetic of growth says what anybody can count by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.scale import MEASURED, NODES, Place, Work, first, shares, table


def test_what_grows_with_the_nodes_and_what_with_their_square() -> None:
    work, place = Work(queries=1e6, changes=1.0), Place()
    one, four = (shares(nodes, work, place, MEASURED) for nodes in (1, 4))
    for linear in ("connections", "db: looks", "db: changes", "log", "node: memory"):
        assert four[linear] == pytest.approx(4 * one[linear])
    assert four["db: following"] == pytest.approx(16 * one["db: following"])
    kept = replace(work, in_use=1 / 16)
    assert shares(4, kept, place, MEASURED)["db: following"] == pytest.approx(
        four["db: following"] / 16
    )


def test_nobody_follows_oftener_than_it_is_asked() -> None:
    taken = shares(1000, Work(queries=1.0, changes=1.0), Place(), MEASURED)
    assert taken["db: following"] == pytest.approx(1000 * MEASURED.follow / 32)


def test_more_databases_take_more() -> None:
    one = shares(64, Work(), Place(), MEASURED)
    two = shares(64, Work(), Place(databases=2), MEASURED)
    for shared in ("connections", "db: looks", "log"):
        assert two[shared] == pytest.approx(one[shared] / 2)
    assert two["node: memory"] == one["node: memory"]


def test_the_fullest_is_told_and_what_is_not_built_is_not() -> None:
    taken = {"node: cores": 0.1, "db: looks": 0.5, "db: changes": 0.4, "log if NOTIFY within": 9.0}
    assert first(taken) == "db: cores (0.9)"
    assert first(taken | {"db: looks": 0.1}) == "nothing"
    assert [row["nodes"] for row in table(Work(), Place(), MEASURED)] == list(NODES)
