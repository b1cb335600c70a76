"""Webhooks of Label Studio, read: what they say of annotations, in any order and twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from service.integrations.label_studio.labelling_config import ConfigError, Control, control_of
from service.problems import InvalidRequest

Json = Mapping[str, Any]

#: In the place of an annotation's id: a request to compare the whole project.
WHOLE_PROJECT = 0
_MOST_ID = 2**63 - 1
_MOST_LABELS = 1000
# What no database holds.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a webhook says of one annotation, or of a task or a project by special ids.

    Attributes:
        project: Which, told apart from others that have had its id.
        annotation: Its id; the negative of a task's that was deleted; ``WHOLE_PROJECT``.
        task: Id of the task that it is of.
        updated_at: When it became so; None: it is deleted, and nothing of it counts any more.
        image: Where the image of the task is.
        labels: That were chosen; none where the annotation was skipped.
        problem: Why nothing can be learnt of it.
    """

    project: str
    annotation: int
    task: int | None = None
    updated_at: datetime | None = None
    image: str | None = None
    labels: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def deleted(self) -> bool:
        """Whether it is gone, for good."""
        return self.updated_at is None


def events_of(told: Json) -> list[Event]:
    """What a webhook says; nothing where its action is of no interest here.

    Raises:
        InvalidRequest: It is not as Label Studio sends it.
    """
    action, about = told.get("action"), told.get("project")
    if not isinstance(action, str):
        raise InvalidRequest("A webhook of Label Studio has an action; this one has none.")
    if action not in _READ:
        return []
    if not isinstance(about, Mapping) or not is_id(about.get("id")):
        raise InvalidRequest(
            "The webhook does not say of which project it is. Switch its payload on in Label"
            " Studio: Settings, Webhooks, Send payload."
        )
    return list(_READ[action](told, about, project_of(about)))


def annotation_event(project: str, control: Control | str, annotation: Json, task: Json) -> Event:
    """What an annotation says as it is.

    Args:
        project: Its.
        control: What people are asked for; or why that is not known.
        annotation: As Label Studio writes it.
        task: Likewise.

    Raises:
        InvalidRequest: It is not as Label Studio writes it.
    """
    if not is_id(annotation.get("id")):
        raise InvalidRequest("An annotation of the webhook has no id.")
    known = {
        "project": project,
        "annotation": annotation["id"],
        "task": task["id"] if is_id(task.get("id")) else None,
        "updated_at": _moment(annotation.get("updated_at")),
    }
    if annotation.get("was_cancelled"):
        return Event(**known)
    if isinstance(control, str):
        return Event(**known, problem=control)
    labels = tuple(control.choices_in(annotation.get("result"))[:_MOST_LABELS])
    image = control.image_of(task.get("data"))
    if labels and image is None:
        why = f"The task's data have no {control.key!r}, which is to say where its image is."
        return Event(**known, problem=why)
    if image is not None and _UNWRITABLE.search(image):
        why = "holds a NUL, or half of a character (a lone surrogate)"
        return Event(**known, problem=f"The address of the task's image {why}.")
    return Event(
        **known, image=image, labels=tuple(one for one in labels if not _UNWRITABLE.search(one))
    )


def project_of(about: Json) -> str:
    """What tells a project apart, as Label Studio itself does: its id, and when it was made."""
    made = about.get("created_at")
    if not isinstance(made, str):
        return str(about["id"])
    return f"{about['id']}.{int(_moment(made).timestamp())}"


def project_id(project: str) -> int:
    """The id that Label Studio knows a project by."""
    return int(project.partition(".")[0])


def control_or_why(config: object) -> Control | str:
    """What a configuration asks people for; or why that cannot be told."""
    try:
        return control_of(config if isinstance(config, str) else "")
    except ConfigError as error:
        return str(error)


def is_id(value: object) -> TypeGuard[int]:
    """Whether something can be an id of Label Studio."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_ID


def _moment(written: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(written))
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("A time of the webhook is none of ISO 8601.") from error


def _written(told: Json, about: Json, project: str) -> Iterator[Event]:
    annotations, tasks = _listed(told.get("annotation")), _listed(told.get("task"))
    by_id = {_id_in(one): one for one in tasks if isinstance(one, Mapping)}
    control = control_or_why(about.get("label_config"))
    for one in annotations:
        if not isinstance(one, Mapping):
            raise InvalidRequest("An annotation of the webhook is no object.")
        of = one.get("task")
        task = by_id.get(of if is_id(of) else None)
        yield annotation_event(project, control, one, {"id": of} if task is None else task)


def _id_in(task: Json) -> int | None:
    found = task.get("id")
    return found if is_id(found) else None


def _annotations_deleted(told: Json, _: Json, project: str) -> Iterator[Event]:
    for annotation in _ids(told.get("annotations")):
        yield Event(project=project, annotation=annotation)


def _tasks_deleted(told: Json, _: Json, project: str) -> Iterator[Event]:
    for task in _ids(told.get("tasks")):
        yield Event(project=project, annotation=-task, task=task)


def _training(_: Json, __: Json, project: str) -> Iterator[Event]:
    yield Event(project=project, annotation=WHOLE_PROJECT, updated_at=datetime.now(UTC))


_READ = {
    "ANNOTATION_CREATED": _written,
    "ANNOTATIONS_CREATED": _written,
    "ANNOTATION_UPDATED": _written,
    "ANNOTATIONS_DELETED": _annotations_deleted,
    "TASKS_DELETED": _tasks_deleted,
    "START_TRAINING": _training,
}


def _ids(listed: object) -> Iterator[int]:
    for one in _listed(listed):
        found = one.get("id") if isinstance(one, Mapping) else None
        if not is_id(found):
            raise InvalidRequest("Something that was deleted has no id.")
        yield found


def _listed(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
