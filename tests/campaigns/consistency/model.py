"""The sequential specification of a classifier: what each operation makes of a state.

A support image is known by the name of its file, of which there is one in a whole campaign, so that
an image that comes back, or stands there twice, is told from another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.campaigns.consistency.history import Operation

Image = tuple[str, str]
"""The label of a support image and the name of its file."""


class State(NamedTuple):
    """What a classifier holds.

    Attributes:
        classes: Labels, also of classes without images.
        images: Of all classes.
    """

    classes: frozenset[str]
    images: frozenset[Image]


NOTHING = State(frozenset(), frozenset())


def after(state: State, operation: Operation) -> State | None:
    """The state after an operation that ended as it did; None: that cannot be from this state."""
    if operation.outcome == "refused":
        return state if _may_be_refused(state, operation) else None
    if operation.kind == "read":
        return state if state.images == frozenset(operation.seen or ()) else None
    if not _can_be_done(state, operation):
        return None
    return _done(state, operation)


def _can_be_done(state: State, operation: Operation) -> bool:
    asked = operation.asked
    match operation.kind:
        case "add":
            return True
        case "delete images" | "move images":
            return set(asked["images"]) <= _names(state)
        case "delete class":
            return asked["label"] in state.classes
        case "rename class":
            return asked["label"] in state.classes and asked["to"] not in state.classes
    raise ValueError(operation.kind)


def _may_be_refused(state: State, operation: Operation) -> bool:
    """Whether a refusal is right: 404 and 409 say what the state is, other ones that it is busy."""
    if operation.kind == "read" or operation.status not in (404, 409):
        return True
    return not _can_be_done(state, operation)


def _done(state: State, operation: Operation) -> State:
    classes, images = state
    asked = operation.asked
    match operation.kind:
        case "add":
            added = {(asked["label"], one) for one in asked["images"]}
            return State(classes | {asked["label"]}, images | added)
        case "delete images":
            return State(classes, _without(images, asked["images"]))
        case "move images":
            moved = {(asked["to"], one) for one in asked["images"]}
            return State(classes | {asked["to"]}, _without(images, asked["images"]) | moved)
        case "delete class":
            label = asked["label"]
            return State(classes - {label}, frozenset(one for one in images if one[0] != label))
        case _:
            label, to = asked["label"], asked["to"]
            renamed = frozenset((to, name) if of == label else (of, name) for of, name in images)
            return State((classes - {label}) | {to}, renamed)


def _names(state: State) -> set[str]:
    return {name for _, name in state.images}


def _without(images: frozenset[Image], gone: Iterable[Any]) -> frozenset[Image]:
    names = set(gone)
    return frozenset(one for one in images if one[1] not in names)
