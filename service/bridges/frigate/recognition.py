"""Recognition: pictures of a tracked object are classified until enough of them agree."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from service.bridges.frigate.classification import Classify, NoClassification
from service.bridges.frigate.frigate_api import Frigate, FrigateError, NotThere, fitting
from service.bridges.frigate.told_seldom import ToldSeldom
from service.bridges.frigate.tracked_objects import TrackedObject
from service.bridges.frigate.voting import MOST_ATTEMPTS, Answer, VotingRule

logger = logging.getLogger("handful.bridge")

# Objects of a camera that are remembered, those under way and those that have ended.
_MOST_OBJECTS = 128


@dataclass(frozen=True, slots=True)
class Recognised:
    """What an object is said to be.

    Attributes:
        tracked: The object.
        classifier: That said it.
        answer: The class, and the mean probability of the attempts that agree.
    """

    tracked: TrackedObject
    classifier: str
    answer: Answer


@dataclass(slots=True)
class _Attempts:
    """What is known of an object.

    Attributes:
        answers: Of each picture; None where it looks like no class.
        pictures: When those were taken: the same picture is no second opinion.
        ours: Sub labels that the bridge has given it, the last one last.
        is_over: Whether it has ended, so that messages that come later are old ones.
    """

    answers: list[Answer | None] = field(default_factory=list)
    pictures: set[float] = field(default_factory=set)
    ours: list[str] = field(default_factory=list)
    is_over: bool = False


class Recognition:
    """The objects of one camera, one after the other.

    Args:
        frigate: Has their pictures, and keeps their sub labels.
        classify: Asks a classifier.
        classifiers: Names of them by labels of Frigate.
        rule: When attempts agree.
        tell: Gets what is recognised.
        seldom: Gets what goes wrong.
    """

    def __init__(
        self,
        frigate: Frigate,
        classify: Classify,
        classifiers: Mapping[str, str],
        rule: VotingRule,
        tell: Callable[[Recognised], None],
        seldom: ToldSeldom,
    ) -> None:
        self._frigate = frigate
        self._classify = classify
        self._classifiers = classifiers
        self._rule = rule
        self._tell = tell
        self._seldom = seldom
        self._objects: OrderedDict[str, _Attempts] = OrderedDict()

    async def follow(self, tracked: TrackedObject) -> None:
        """Make an attempt at an object, and speak where enough of them agree."""
        try:
            await self._attempt(tracked, self._attempts_at(tracked.id))
        except NotThere as error:
            self._seldom.say("Frigate has no picture of an object", error)
        except FrigateError as error:
            self._seldom.say("Frigate does not answer", error)
        except NoClassification as error:
            self._seldom.say("an object cannot be classified", error)

    async def _attempt(self, tracked: TrackedObject, made: _Attempts) -> None:
        if made.is_over:
            return
        made.is_over = tracked.is_over
        if _is_anothers(tracked.sub_label, made):
            return
        classifier = self._classifiers[tracked.label]
        if len(made.answers) < MOST_ATTEMPTS and tracked.picture not in made.pictures:
            await self._look(tracked, made, classifier)
        await self._speak(tracked, made, classifier)

    async def _look(self, tracked: TrackedObject, made: _Attempts, classifier: str) -> None:
        """Have the object's picture classified, if it is another one than before."""
        snapshot = await self._frigate.snapshot(tracked.id, patient=tracked.is_over)
        if snapshot.taken in made.pictures:
            return
        made.answers.append(await self._classify(classifier, snapshot.content))
        made.pictures |= {one for one in (tracked.picture, snapshot.taken) if one is not None}

    async def _speak(self, tracked: TrackedObject, made: _Attempts, classifier: str) -> None:
        """Give the object the sub label that attempts agree on, unless it has that already."""
        agreed = self._rule.agreed(made.answers)
        if agreed is None:
            return
        sub_label = fitting(agreed.label)
        if made.ours[-1:] == [sub_label]:
            return
        # What the message said may be some seconds old: people and Frigate come first.
        details = await self._frigate.event(tracked.id)
        if details is not None and (
            details.camera != tracked.camera or _is_anothers(details.sub_label, made)
        ):
            return
        await self._frigate.set_sub_label(tracked.id, sub_label, agreed.probability)
        made.ours.append(sub_label)
        logger.info("%s of camera %s is %r", tracked.id, tracked.camera, sub_label)
        self._tell(Recognised(tracked, classifier, agreed))

    def _attempts_at(self, event: str) -> _Attempts:
        made = self._objects.setdefault(event, _Attempts())
        self._objects.move_to_end(event)
        if len(self._objects) > _MOST_OBJECTS:
            self._objects.popitem(last=False)
        return made


def _is_anothers(sub_label: str | None, made: _Attempts) -> bool:
    """Whether a person or Frigate itself gave the sub label."""
    return bool(sub_label) and sub_label not in made.ours
