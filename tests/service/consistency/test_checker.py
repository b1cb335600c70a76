"""The checker says yes to every history that some order explains, and no to every other."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.campaigns.consistency.checker import check
from tests.campaigns.consistency.history import History, Operation, Outcome, read_history
from tests.campaigns.consistency.model import NOTHING, after

_OTHERS = ["delete images", "move images", "delete class", "rename class"]


def operation(
    number: int,
    kind: str,
    asked: dict[str, Any] | None = None,
    *,
    at: tuple[float, float],
    seen: tuple[tuple[str, str], ...] | None = None,
    outcome: Outcome = "done",
    status: int = 200,
) -> Operation:
    began, ended = at
    return Operation(
        number=number,
        client=0,
        classifier="one",
        kind=kind,
        asked=asked or {},
        began=began,
        ended=ended,
        outcome=outcome,
        status=status,
        seen=seen,
    )


def add(number: int, *names: str, at: tuple[float, float], **given: Any) -> Operation:
    return operation(number, "add", {"label": "ant", "images": list(names)}, at=at, **given)


def read(number: int, *names: str, at: tuple[float, float]) -> Operation:
    return operation(number, "read", at=at, seen=tuple(("ant", one) for one in names))


def delete(number: int, *names: str, at: tuple[float, float]) -> Operation:
    return operation(number, "delete images", {"images": list(names)}, at=at)


def kinds(*operations: Operation) -> list[str]:
    return [one.kind for one in check(operations)]


def test_one_after_the_other_is_explained() -> None:
    some = [
        add(1, "x", at=(0, 1)),
        read(2, "x", at=(2, 3)),
        delete(3, "x", at=(4, 5)),
        read(4, at=(6, 7)),
    ]
    assert not check(some)


def test_a_read_beside_a_change_may_see_it_or_not_but_not_go_back() -> None:
    change = add(1, "x", at=(0, 10))
    assert not check([change, read(2, at=(1, 2)), read(3, "x", at=(3, 4))])
    assert not check([change, read(2, at=(1, 12)), read(3, "x", at=(3, 4))])
    assert check([change, read(2, "x", at=(1, 2)), read(3, at=(3, 4))])


def test_what_was_acknowledged_is_lost_or_stale() -> None:
    change = add(1, "x", at=(0, 1))
    assert kinds(change, read(2, at=(2, 3))) == ["lost"]
    assert kinds(change, read(2, at=(2, 3)), read(3, "x", at=(4, 5)))[0] == "stale"


def test_what_was_deleted_is_resurrected() -> None:
    some = [add(1, "x", at=(0, 1)), delete(2, "x", at=(2, 3)), read(3, "x", at=(4, 5))]
    assert kinds(*some) == ["resurrected"]


def test_an_upload_is_there_by_half() -> None:
    assert kinds(add(1, "x", "y", at=(0, 3)), read(2, "x", at=(1, 2))) == ["half"]


def test_an_image_stands_there_twice() -> None:
    assert kinds(add(1, "x", at=(0, 1)), read(2, "x", "x", at=(2, 3))) == ["doubled"]


def test_an_image_that_nobody_has_sent() -> None:
    assert kinds(read(1, "x", at=(0, 1))) == ["unknown image"]


def test_what_was_never_answered_happens_before_its_end_or_never() -> None:
    lost = add(1, "x", at=(0, 5), outcome="unknown", status=0)
    assert not check([lost, read(2, at=(1, 2)), read(3, at=(8, 9))])
    assert not check([lost, read(2, at=(1, 2)), read(3, "x", at=(8, 9))])
    assert kinds(lost, read(2, at=(6, 7)), read(3, "x", at=(8, 9))) == ["resurrected"]


def test_a_refusal_changes_nothing_and_has_its_reason() -> None:
    refused = add(1, "x", at=(0, 1), outcome="refused", status=503)
    assert not check([refused, read(2, at=(2, 3))])
    assert kinds(refused, read(2, "x", at=(2, 3))) == ["resurrected"]
    gone = operation(
        3, "delete images", {"images": ["x"]}, at=(4, 5), outcome="refused", status=404
    )
    assert not check([refused, gone])
    assert kinds(add(2, "x", at=(2, 3)), gone) == ["unexplained"]


def test_two_of_which_one_is_lost() -> None:
    """Both were acknowledged on top of the same state: the second has overwritten the first."""
    some = [add(1, "x", at=(0, 3)), add(2, "y", at=(1, 4)), read(3, "y", at=(5, 6))]
    assert kinds(*some) == ["lost"]


def test_an_order_that_two_readers_see_differently() -> None:
    some = [
        add(1, "x", at=(0, 9)),
        add(2, "y", at=(0, 9)),
        read(3, "x", at=(1, 2)),
        read(4, "y", at=(3, 4)),
    ]
    assert check(some)


def test_what_follows_an_anomaly_is_checked_too() -> None:
    some = [
        add(1, "x", at=(0, 1)),
        read(2, at=(2, 3)),
        add(3, "y", at=(4, 5)),
        read(4, "y", at=(6, 7)),
        read(5, at=(8, 9)),
    ]
    assert kinds(*some) == ["lost", "lost"]


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    some = [add(1, "x", at=(0, 1)), read(2, "x", at=(2, 3))]
    history.add(some[0])
    history.fault(1.5, "kill")
    history.add(some[1])
    history.close()
    assert list(read_history(tmp_path / "history.jsonl")) == some


def _drawn(draw: random.Random, number: int, changes: int) -> tuple[str, dict[str, Any]]:
    """A kind, with what is asked; images are of their own to each upload."""
    kind = draw.choice(["add", "add", "read", "read", *_OTHERS])
    label, to = draw.sample(["ant", "bee", "cat"], 2)
    some = [f"{draw.randrange(changes)}.{draw.randrange(2)}" for _ in range(draw.choice((1, 2)))]
    match kind:
        case "read":
            return kind, {}
        case "add":
            return kind, {"label": label, "images": [f"{number}.0", f"{number}.1"]}
        case "delete images":
            return kind, {"images": some}
        case "move images":
            return kind, {"images": some, "to": to}
        case "delete class":
            return kind, {"label": label}
    return kind, {"label": label, "to": to}


def lived(draw: random.Random, changes: int) -> list[Operation]:
    """A history of a classifier that takes each operation at one moment while it is under way."""
    timed = []
    for number in range(changes):
        began, lasts = draw.uniform(0, 20), draw.uniform(0, 6)
        drawn = _drawn(draw, number, changes)
        timed.append((began + draw.uniform(0, lasts), began, began + lasts, *drawn))
    state, made = NOTHING, []
    for number, (_, began, ended, kind, asked) in enumerate(sorted(timed, key=lambda t: t[0])):
        at = began, ended
        if kind == "read":
            made.append(operation(number, kind, at=at, seen=tuple(sorted(state.images))))
            continue
        done = operation(number, kind, asked, at=at)
        following = after(state, done)
        fate = draw.random()
        if following is None:
            done = replace(done, outcome="refused", status=404)
        elif fate < 0.1:  # refused, as it is busy
            done = replace(done, outcome="refused", status=503)
        elif fate < 0.3:
            done = replace(done, outcome="unknown", status=0)
            state = following if fate < 0.2 else state
        else:
            state = following
        made.append(done)
    return made


def _one_each(images: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple({name: (label, name) for label, name in images}.values())


def explained(operations: list[Operation]) -> bool:
    """By trying every order, and every subset of what was not answered."""
    unknown = [one for one in operations if one.outcome == "unknown"]
    certain = [one for one in operations if one.outcome != "unknown"]
    for count in range(len(unknown) + 1):
        for happened in itertools.combinations(unknown, count):
            for order in itertools.permutations([*certain, *happened]):
                if _in_time(order) and _possible(order):
                    return True
    return False


def _in_time(order: tuple[Operation, ...]) -> bool:
    return all(
        later.ended > earlier.began
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


def _possible(order: tuple[Operation, ...]) -> bool:
    state = NOTHING
    for one in order:
        following = after(state, one)
        if following is None:
            return False
        state = following
    return True


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_every_history_that_was_lived_is_explained(seed: int, changes: int) -> None:
    assert not check(lived(random.Random(seed), changes))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 6))
def test_the_checker_agrees_with_trying_every_order(seed: int, changes: int) -> None:
    """Of histories in which a read, or an outcome, is not what it was."""
    draw = random.Random(seed)
    some = lived(draw, changes)
    which = draw.randrange(len(some))
    one = some[which]
    if one.seen is not None:
        images = [(label, f"{n}.{i}") for label in ("ant", "bee") for n in range(2) for i in (0, 1)]
        one = replace(one, seen=_one_each(draw.sample(images, draw.randrange(4))))
    else:
        one = replace(one, outcome=draw.choice(["done", "refused"]), status=404)
    some[which] = one
    assert (not check(some)) == explained(some)


@pytest.mark.parametrize("number", [3, 6])
def test_many_at_once_are_still_checked(number: int) -> None:
    some = [add(one, f"x{one}", at=(0, 10)) for one in range(number)]
    some.append(read(number, *(f"x{one}" for one in range(number)), at=(11, 12)))
    assert not check(some)
