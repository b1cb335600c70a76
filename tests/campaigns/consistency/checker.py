"""The checker: whether some order of the operations explains every answer (linearisability).

Wing and Gong, Testing and verifying concurrent objects, JPDC 17, 1993, in the just-in-time form of
Lowe, Testing for linearizability, CCPE 29(4), 2017: events are gone through in the order of their
times, and with them goes the set of all configurations that could be: which of the operations that
are under way have taken effect, and the state then. Where an operation ends, those configurations
stay in which it has taken effect. Where none stays, its answer is one that no state explains.

An operation that was never answered may have taken effect until it ended, or never.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.campaigns.consistency.history import Operation
from tests.campaigns.consistency.model import NOTHING, Image, State, after

Configuration = tuple[frozenset[int], State]
"""Numbers of the operations under way that have taken effect, and the state after them."""
# Configurations at a time; a handful is usual.
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An answer that no state explains.

    Attributes:
        kind: ``lost``, ``stale``, ``resurrected``, ``half``, ``doubled``, ``unknown image``,
            or ``unexplained``.
        operation: Whose answer it is.
        missing: Images that should have been there, in the nearest state.
        unexpected: Images that should not.
    """

    kind: str
    operation: Operation
    missing: frozenset[Image] = frozenset()
    unexpected: frozenset[Image] = frozenset()

    def __str__(self) -> str:
        told = f"{self.kind}: operation {self.operation.number}, {self.operation.kind}"
        for what, images in (("missing", self.missing), ("unexpected", self.unexpected)):
            if images:
                told += f", {what} {sorted(images)}"
        return told


class TooManyConfigurations(RuntimeError):
    """Too many operations at once that nothing tells the order of."""


def check(operations: Iterable[Operation]) -> list[Anomaly]:
    """What no order of the operations explains, in the order of their ends.

    Costs: linear in the operations of a classifier; exponential, at worst, in how many of those
    that change it are under way at a time.

    Raises:
        TooManyConfigurations: It would take too much.
    """
    of_classifier: dict[str, list[Operation]] = defaultdict(list)
    for one in operations:
        of_classifier[one.classifier].append(one)
    found = [anomaly for some in of_classifier.values() for anomaly in _checked(some)]
    return sorted(found, key=lambda one: one.operation.ended)


def _checked(operations: list[Operation]) -> list[Anomaly]:
    """What no order of the operations of one classifier explains."""
    events = [(one.began, 1, one) for one in operations]
    events += [(one.ended, 0, one) for one in operations]
    # At the same moment what ends ends first: it did not overlap what begins.
    events.sort(key=lambda event: (event[0], event[1], event[2].number))
    under_way: dict[int, Operation] = {}
    configurations: set[Configuration] = {(frozenset(), NOTHING)}
    found: list[Anomaly] = []
    for _, begins, one in events:
        if begins:
            under_way[one.number] = one
            configurations = {_looked(some, {one.number: one}) for some in configurations}
            continue
        if one.seen is not None and (twice := _twice(one)):
            found.append(Anomaly("doubled", one, unexpected=twice))
        reached = _ended(configurations, under_way, one)
        del under_way[one.number]
        if not reached:
            found.append(_anomaly(one, configurations, operations))
            reached = _gone_on(one, configurations)
        configurations = reached
    return found


def _ended(
    configurations: set[Configuration], under_way: Mapping[int, Operation], one: Operation
) -> set[Configuration]:
    """The configurations after an operation has ended."""
    reached: set[Configuration] = set()
    seen = set(configurations)
    waiting = list(configurations)
    while waiting:
        effective, state = waiting.pop()
        if one.number in effective:
            reached.add((effective - {one.number}, state))
            continue
        if one.outcome == "unknown":
            reached.add((effective, state))  # it never has
        for number, other in under_way.items():
            if number in effective or _only_looks(other):
                continue
            following = after(state, other)
            if following is None:
                continue
            made = _looked((effective | {number}, following), under_way)
            if made not in seen:
                seen.add(made)
                waiting.append(made)
                if len(seen) > _MOST:
                    raise TooManyConfigurations(f"at operation {one.number}")
    return reached


def _only_looks(one: Operation) -> bool:
    """Whether it leaves the state as it is: a read, or a change that was refused."""
    return one.kind == "read" or one.outcome == "refused"


def _looked(configuration: Configuration, under_way: Mapping[int, Operation]) -> Configuration:
    """With all that only looks and that this state explains: sooner is never worse for them."""
    effective, state = configuration
    explained = [
        number
        for number, one in under_way.items()
        if number not in effective and _only_looks(one) and after(state, one) is not None
    ]
    return (effective.union(explained), state) if explained else configuration


def _gone_on(one: Operation, configurations: set[Configuration]) -> set[Configuration]:
    """What is taken for the state after an anomaly, to find others: what was seen, or before."""
    if one.seen is None:
        return configurations
    classes = frozenset[str]().union(*(state.classes for _, state in configurations))
    images = frozenset(one.seen)
    return {(frozenset(), State(classes | {label for label, _ in images}, images))}


def _anomaly(
    one: Operation, configurations: set[Configuration], operations: list[Operation]
) -> Anomaly:
    if one.seen is None:
        return Anomaly("unexplained", one)
    images = frozenset(one.seen)
    nearest = min((state.images for _, state in configurations), key=lambda s: len(s ^ images))
    missing, unexpected = nearest - images, images - nearest
    kind = _kind(one, missing, unexpected, operations)
    return Anomaly(kind, one, missing, unexpected)


def _kind(
    one: Operation,
    missing: frozenset[Image],
    unexpected: frozenset[Image],
    operations: list[Operation],
) -> str:
    """What an inexplicable read looks like; a help for whoever looks for its cause."""
    names = {name for _, name in one.seen or ()}
    before = [other for other in operations if other.began < one.ended]
    added = {
        name: other for other in before if other.kind == "add" for name in other.asked["images"]
    }
    if names - set(added):
        return "unknown image"
    deletes = any(other.kind.startswith("delete") for other in before)
    for name in {name for _, name in missing | unexpected} & set(added):
        of_upload = set(added[name].asked["images"])
        if not deletes and of_upload & names and of_upload - names:
            return "half"
    if not missing:
        return "resurrected"
    later = [set(other.seen) for other in operations if other.seen and other.began >= one.ended]
    return "stale" if any(missing & some for some in later) else "lost"


def _twice(one: Operation) -> frozenset[Image]:
    """Images that a read has more than once, in whichever classes."""
    counted = Counter(name for _, name in one.seen or ())
    return frozenset(image for image in one.seen or () if counted[image[1]] > 1)
