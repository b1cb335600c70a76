"""Learning: a classifier is brought to what annotations say, some of them at a time.

Each step is durable and may be repeated, by whichever process goes on after a kill: what
annotations are about to hold is written down, images are added, what they hold is settled, and
images that came by annotations and are held by none go.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from fastapi_problem.error import StatusProblem
from prometheus_client import Counter

from service.access.principal import Principal
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.encoding.registering import registered
from service.fetching import FetchError
from service.images.embedded import EmbeddedImage
from service.images.uploaded import UploadedImage
from service.integrations.label_studio.desired_state import DesiredState, Due, Pairs
from service.integrations.label_studio.identity import Only, identified
from service.integrations.label_studio.images import LabelStudio
from service.integrations.label_studio.learnt_images import (
    HeldAgain,
    Removal,
    forget,
    record_learnt,
    unheld,
)
from service.integrations.label_studio.places import file_name
from service.name_validation import checked_labels
from service.problems import ClassifierNotFound, ImageNotFound, SingleLabels
from service.registry.current_name import by_current_name
from service.registry.live import LiveClassifier
from service.registry.registry import Registry
from service.storage.audit import AuditRecorder
from service.storage.history import HistoryActor
from service.storage.recording import Recorder
from service.tenancy import bare

logger = logging.getLogger("handful")

T = TypeVar("T")

LEARNT = Counter(
    "handful_label_studio_annotations_total",
    "Annotations of Label Studio that classifiers were brought to.",
    ["outcome"],
)
for _outcome in ("settled", "failed", "postponed"):
    LEARNT.labels(_outcome)  # told from the start

# Images that are fetched at a time, and bytes of them that are held at about the same time.
_AT_ONCE, _MOST_BYTES = 4, 64 * 2**20
# Images that one change removes.
_REMOVED = 256
_FETCHED_AGAIN = (None, 401, 403, 408, 429)
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0


class Learner:
    """Brings classifiers to what their annotations say. For one task of the event loop.

    Args:
        parts: Of the service.
        state: What the annotations say.
        label_studio: Where their images are.
    """

    def __init__(self, parts: ServiceParts, state: DesiredState, label_studio: LabelStudio) -> None:
        self._parts = parts
        self._state = state
        self._label_studio = label_studio
        self._writers = anyio.CapacityLimiter(1)

    async def __call__(self, due: Sequence[Due]) -> None:
        """Work on annotations of one classifier, one or more.

        Raises:
            StatusProblem, Outdated: Nothing can be done at the moment.
        """
        classifier_id = due[0].classifier_id
        if await run_blocking(self._state.name_of, classifier_id) is None:
            return
        nothing = {one: (_NOTHING, one.problem) for one in due if one.deleted or not one.labels}
        await self._settle(nothing)
        await self.remove(classifier_id, due[0])
        left = [one for one in due if one not in nothing]
        while left:
            some, left = left[:_AT_ONCE], left[_AT_ONCE:]
            fetched = await self._fetched(some)
            while left and sum(map(len, fetched.values())) < _MOST_BYTES:
                some, left = left[:_AT_ONCE], left[_AT_ONCE:]
                fetched |= await self._fetched(some)
            if fetched:
                await self._learn(classifier_id, fetched)
        await self.remove(classifier_id, due[0])

    async def remove(self, classifier_id: int, of: Due | None = None) -> None:
        """Remove images that came by annotations, and that none holds any more.

        Args:
            classifier_id: Whose.
            of: The annotation that has let go of them; None: it is not known.

        Raises:
            StatusProblem: It cannot be changed at the moment.
        """
        engine = self._parts.engine
        while ids := await run_blocking(unheld, engine, classifier_id, _REMOVED):

            async def removed(name: str, ids: list[str] = ids) -> bool:
                await self._removed(name, classifier_id, of, ids)
                return True

            with suppress(HeldAgain):
                if await self._by_name(classifier_id, removed) is None:
                    return

    async def _fetched(self, some: Sequence[Due]) -> dict[Due, bytes]:
        """Images of those of which they can be had; the others are settled, or postponed."""

        async def one(of: Due) -> bytes | FetchError:
            try:
                return await self._label_studio.image(of.image or "", of.task, _not_counted)
            except FetchError as error:
                return error

        found = dict(zip(some, await asyncio.gather(*map(one, some)), strict=True))
        for of, got in found.items():
            if not isinstance(got, FetchError):
                continue
            why = f"The image {got}."
            later = got.status in _FETCHED_AGAIN or (got.status or 0) >= 500
            if later:
                await self.postpone([of], why)
            else:
                await self._settle({of: (_NOTHING, why)})
        return {of: got for of, got in found.items() if isinstance(got, bytes)}

    async def _learn(self, classifier_id: int, contents: Mapping[Due, bytes]) -> None:
        """Learn of annotations whose images are there; of each alone where one has a fault."""

        async def learnt(name: str) -> dict[Due, tuple[Pairs, str | None]]:
            return await self._learnt(name, classifier_id, contents)

        try:
            settled = await self._by_name(classifier_id, learnt)
        except StatusProblem as problem:
            why = problem.detail or problem.title
            if passes(problem):
                await self.postpone(list(contents), why)
            elif len(contents) > 1:
                for one, content in contents.items():
                    await self._learn(classifier_id, {one: content})
            else:
                await self._settle(dict.fromkeys(contents, (_NOTHING, why)))
        else:
            await self._settle(settled or {})

    async def _learnt(
        self, name: str, classifier_id: int, contents: Mapping[Due, bytes]
    ) -> dict[Due, tuple[Pairs, str | None]]:
        """Add images of annotations to a classifier.

        Returns:
            What each holds from now on, and what is wrong with it.

        Raises:
            StatusProblem: The classifier cannot be given them; nothing was added.
        """
        live = await self._identified(name, classifier_id)
        settled: dict[Due, tuple[Pairs, str | None]] = {}
        wanted: dict[Due, Pairs] = {}
        for one, content in contents.items():
            try:
                labels = checked_labels(one.labels)
                if len(labels) > 1 and not live.settings.multi_label:
                    raise _several(name, labels)
            except StatusProblem as problem:
                settled[one] = _NOTHING, problem.detail
                continue
            sha256 = hashlib.sha256(content).hexdigest()
            wanted[one] = frozenset((sha256, label) for label in labels)
        if not wanted:
            return settled
        held = await run_blocking(self._state.hold, wanted)
        wanted = {one: pairs for one, pairs in wanted.items() if one in held}
        if not wanted:
            return settled
        images = [UploadedImage.of(file_name(one.image or ""), contents[one]) for one in wanted]
        registry = self._registry(classifier_id, next(iter(wanted)), record_learnt)
        labels_of = [[label for _, label in sorted(pairs)] for pairs in wanted.values()]
        embedded, _ = await registered(
            registry,
            self._parts.embedder,
            self._parts.texts,
            self._writers,
            name,
            images,
            labels_of,
            partial(identified, classifier_id=classifier_id),
        )
        for (one, pairs), image in zip(wanted.items(), embedded, strict=True):
            if isinstance(image, EmbeddedImage):
                settled[one] = pairs, None
            else:
                settled[one] = _NOTHING, image.detail
        return settled

    async def _removed(self, name: str, classifier_id: int, of: Due | None, ids: list[str]) -> None:
        await self._identified(name, classifier_id)
        registry = self._registry(classifier_id, of, Removal(ids))
        try:
            await anyio.to_thread.run_sync(
                registry.reshaping.delete_images, name, ids, limiter=self._writers
            )
        except ImageNotFound:  # somebody else has removed one
            if len(ids) > 1:
                for one in ids:
                    await self._removed(name, classifier_id, of, [one])
            elif not await run_blocking(forget, self._parts.engine, classifier_id, ids[0]):
                raise ClassifierNotFound(name) from None  # it was of another one of the name

    async def _settle(self, settled: Mapping[Due, tuple[Pairs, str | None]]) -> None:
        if not settled:
            return
        await run_blocking(self._state.settle, settled)
        for one, (_, problem) in settled.items():
            LEARNT.labels("settled" if problem is None else "failed").inc()
            if problem is not None:
                logger.warning("%s cannot be learnt of: %s", _called(one), problem)

    async def postpone(self, some: Sequence[Due], why: str) -> None:
        """Work on annotations later, whatever of them is not settled yet."""
        tries = min(one.tries for one in some)
        pause = min(_FIRST_PAUSE * 2 ** min(tries, 10), _LONGEST_PAUSE)
        until = datetime.now(UTC) + timedelta(seconds=pause)
        await run_blocking(self._state.postpone, some, why, until)
        LEARNT.labels("postponed").inc(len(some))
        logger.warning(
            "%s waits%s: %s",
            _called(some[0]),
            f" with {len(some) - 1} more" if len(some) > 1 else "",
            why,
        )

    async def _by_name(self, classifier_id: int, do: Callable[[str], Awaitable[T]]) -> T | None:
        """Do something by the name that the classifier has now; None: it is gone."""
        return await by_current_name(partial(self._state.name_of, classifier_id), do)

    async def _identified(self, name: str, classifier_id: int) -> LiveClassifier:
        """The classifier of a name, if it is the one that is meant.

        Raises:
            ClassifierNotFound: It is another one, or there is none.
        """
        live = await run_blocking(self._parts.registry.live, name)
        identified(live, classifier_id)
        return live

    def _registry(self, classifier_id: int, of: Due | None, recorder: Recorder) -> Registry:
        """The registry whose changes are told as those of who told of an annotation."""
        recorders: list[Recorder] = [Only(classifier_id), recorder]
        if of is not None and of.told_by is not None:
            recorders += _told(of, of.told_by)
        return self._parts.registry.recording(recorders)


_NOTHING: Pairs = frozenset()


def passes(problem: StatusProblem) -> bool:
    """Whether it is no annotation's own fault, so that trying again may mend it."""
    ours = problem.status == 429 or problem.status >= 500
    return ours or isinstance(problem, ClassifierNotFound)


def _told(one: Due, told_by: Mapping[str, Any]) -> list[Recorder]:
    principal = Principal(tenant=told_by["tenant"], key_id=told_by["key"], user=told_by["user"])
    recorders: list[Recorder] = []
    if told_by["audited"]:
        request = f"POST /label-studio/.../webhook, {_called(one)}"
        recorders.append(AuditRecorder(principal, request))
    if principal.key_id is not None:
        recorders.append(HistoryActor(principal.key_id))
    return recorders


def _called(one: Due) -> str:
    return f"annotation {one.annotation} of project {one.project} of Label Studio"


def _several(name: str, labels: Sequence[str]) -> StatusProblem:
    return SingleLabels(
        f"The annotation chooses {len(labels)} classes, and an image of the classifier"
        f" {bare(name)!r} has one. PUT it with multi_label, or let one be chosen (choice=single)."
    )


def _not_counted(_: int) -> None:
    pass
