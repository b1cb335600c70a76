"""Identity: annotations are a classifier's, whatever it is called, and no other's of its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.orm import Session

from service.api.offloading import run_blocking
from service.integrations.label_studio.desired_state import DesiredState
from service.problems import ClassifierNotFound
from service.registry.live import LiveClassifier
from service.registry.registry import Registry
from service.storage.recording import Recorded

T = TypeVar("T")


async def by_name(
    state: DesiredState, classifier_id: int, do: Callable[[str], Awaitable[T]]
) -> T | None:
    """Do something by the name that a classifier has now: it may be renamed at any time.

    Args:
        state: Where the name is read.
        classifier_id: Whose.
        do: Raises ``ClassifierNotFound`` where the name is not its any more.

    Returns:
        What ``do`` does; None: the classifier is gone.

    Raises:
        ClassifierNotFound: It is there, and cannot be had by its name.
    """
    name = await run_blocking(state.name_of, classifier_id)
    while name is not None:
        try:
            return await do(name)
        except ClassifierNotFound:
            before, name = name, await run_blocking(state.name_of, classifier_id)
            if name == before:
                raise
    return None


async def identified(registry: Registry, name: str, classifier_id: int) -> LiveClassifier:
    """The classifier of a name, if it is the one that is meant.

    Raises:
        ClassifierNotFound: It is another one, or there is none.
    """
    live = await run_blocking(registry.live, name)
    if live.state.id != classifier_id:
        raise ClassifierNotFound(name)
    return live


class Only:
    """Recorder that undoes a change of any classifier but one.

    Args:
        classifier_id: Of that one.
    """

    def __init__(self, classifier_id: int) -> None:
        self._id = classifier_id

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """See which one it is.

        Raises:
            ClassifierNotFound: It got the name after it was looked for.
        """
        if recorded.classifier_id != self._id:
            raise ClassifierNotFound(recorded.name)
