"""Comparing a whole project: webhooks get lost, as Label Studio sends each once, for a second.

Its API lists the annotations as they are, which are merged like webhooks; those that are known and
are not listed any more are asked for one by one before they count as deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from service.api.offloading import run_blocking
from service.fetching import FetchError
from service.integrations.label_studio.desired_state import DesiredState, Due
from service.integrations.label_studio.events import (
    Event,
    annotation_event,
    control_or_why,
    is_id,
    project_id,
    project_of,
)
from service.integrations.label_studio.images import LabelStudio
from service.storage.statements import chunks

_PAGE, _MOST_PAGES = 100, 10_000
# Annotations of one comparison that are asked for one by one; the next one goes on.
_MOST_UNSEEN = 1000


async def compare(
    state: DesiredState,
    label_studio: LabelStudio,
    asked: Due,
    count: Callable[[int], Awaitable[None]],
) -> None:
    """Bring what is known of a project's annotations to what Label Studio says now.

    Args:
        state: What is known.
        label_studio: Who is asked.
        asked: Of the project.
        count: Counts images that are to be learnt, or raises where they are too many by now; what
            comes before them is accepted then, and found again by the next comparison.

    Raises:
        RateLimited: ``count`` does.
        FetchError: It does not answer, or not as its API does.
    """
    number = project_id(asked.project)
    about = _an_object(await label_studio.document(f"/api/projects/{number}/"))
    if project_of(about) != asked.project and "." in asked.project:
        raise FetchError(
            "is another project than the one that was asked about: Label Studio was installed anew",
            status=410,
        )
    control = control_or_why(about.get("label_config"))
    seen = set[int]()
    for page in range(1, _MOST_PAGES + 1):
        path = f"/api/tasks/?project={number}&fields=all&page={page}&page_size={_PAGE}"
        try:
            listed = _an_object(await label_studio.document(path)).get("tasks")
        except FetchError as error:
            if error.status == 404 and page > 1:  # behind the last page
                break
            raise
        events = [
            annotation_event(asked.project, control, annotation, task)
            for task in _objects(listed)
            for annotation in _objects(task.get("annotations"))
        ]
        seen |= {event.annotation for event in events}
        await count(await run_blocking(state.to_be_learnt, asked.classifier_id, events))
        await _accept(state, asked, events)
        if not isinstance(listed, list) or len(listed) < _PAGE:
            break
    unseen = await run_blocking(
        state.unseen, asked.classifier_id, asked.project, seen, _MOST_UNSEEN
    )
    gone = [one for one in unseen if not await _is_there(label_studio, one)]
    await _accept(state, asked, [Event(project=asked.project, annotation=one) for one in gone])
    await run_blocking(state.retry, asked.classifier_id, asked.project)


async def _accept(state: DesiredState, asked: Due, events: list[Event]) -> None:
    for some in chunks(events):
        await run_blocking(state.accept, asked.classifier_id, some, asked.told_by)


async def _is_there(label_studio: LabelStudio, annotation: int) -> bool:
    try:
        await label_studio.document(f"/api/annotations/{annotation}/")
    except FetchError as error:
        if error.status == 404:
            return False
        raise
    return True


def _an_object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise FetchError("is answered otherwise than by the API of Label Studio", status=502)
    return answer


def _objects(listed: Any) -> list[dict[str, Any]]:
    rows = listed if isinstance(listed, list) else []
    return [one for one in rows if isinstance(one, dict) and is_id(one.get("id"))]
