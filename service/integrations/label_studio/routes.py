"""``/label-studio/{name}``: what Label Studio asks an ML backend, of one classifier."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy
from fastapi import APIRouter, Depends, Request

from service.access.principal import Principal, Scope, principal_of
from service.access.required_access import RequiredAccess
from service.api.dependencies import Name, ReadyParts
from service.api.image_quota import count_images
from service.api.json_route import check_json
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.integrations.label_studio.desired_state import DesiredState
from service.integrations.label_studio.events import Event, events_of
from service.integrations.label_studio.images import LabelStudio
from service.integrations.label_studio.labelling_config import ConfigError, control_of
from service.integrations.label_studio.predicting import Predictions
from service.integrations.label_studio.worker import Worker
from service.problems import ChangedMeanwhile, InvalidRequest, NotAllowed, RequestTooLarge
from service.registry.live import LiveClassifier
from service.storage.errors import Outdated
from service.tenancy import bare

PREFIX = "/label-studio"
_PATH = re.compile(rf"{PREFIX}/([^/]+)/([^/]+)")
_SCOPES = {"predict": Scope.PREDICT, "setup": Scope.PREDICT, "webhook": Scope.WRITE}
# Each failure is another webhook of the same annotations at the same time.
_ATTEMPTS = 10
# Annotations that a webhook may be about: so many rows are written while nobody else writes.
_MOST_EVENTS = 1000
_MENDED = (
    "Select fewer tasks at a time in Label Studio. What a webhook that was refused has said is"
    " found again by Start Training."
)


def required_access(method: str, path: str) -> RequiredAccess:
    """What a request needs: what is changed a key that writes, and so on."""
    found = _PATH.fullmatch(path)
    scope = Scope.READ
    if method not in ("GET", "HEAD"):
        scope = _SCOPES.get(found[2], Scope.WRITE) if found else Scope.WRITE
    return RequiredAccess(scope, classifier=found[1] if found else None)


def model_version(name: str, live: LiveClassifier) -> str:
    """What predictions are told to be of: another one with each change of the classifier.

    Label Studio does not ask again for predictions of the same one, so that of another classifier,
    or of one that is made anew under the name, has to be another one, too.
    """
    made = numpy.base_repr(int(live.state.created_at.timestamp()), 36).lower()
    return f"{bare(name)}@{live.state.revision}.{made}"


def takes_images(path: str) -> bool:
    """Whether bodies of a path hold images: those of tasks may."""
    return path.endswith("/predict")


def router_of(label_studio: LabelStudio, worker: Worker, tenant: str) -> APIRouter:
    """The routes.

    Args:
        label_studio: Where images are.
        worker: Told of what is accepted.
        tenant: The only one that is answered: whoever is sees by predictions, and by what is
            learnt, whatever the one token shows of Label Studio.
    """

    async def of_the_tenant(request: Request) -> None:
        if principal_of(request.scope).tenant != tenant:
            raise NotAllowed(
                "Label Studio is another tenant's here, whose keys alone are answered: whoever"
                " runs the service says which (HANDFUL_LABEL_STUDIO_TENANT)."
            )

    router = APIRouter(prefix=PREFIX + "/{name}", dependencies=[Depends(of_the_tenant)])

    @router.get("/health")
    async def health(name: Name, parts: ReadyParts) -> dict[str, str]:
        await run_blocking(parts.registry.live, name)
        return {"status": "UP", "model_class": "Handful"}

    @router.post("/setup")
    async def setup(name: Name, parts: ReadyParts) -> dict[str, str]:
        live = await run_blocking(parts.registry.live, name)
        return {"model_version": model_version(name, live)}

    @router.get("/versions")
    async def versions(name: Name, parts: ReadyParts) -> dict[str, list[str]]:
        live = await run_blocking(parts.registry.live, name)
        return {"versions": [model_version(name, live)]}

    @router.post("/predict")
    async def predict(name: Name, parts: ReadyParts, request: Request) -> dict[str, Any]:
        told = await _document(request, parts.settings.max_request_bytes)
        tasks, config = told.get("tasks"), told.get("label_config")
        if not isinstance(tasks, list) or not isinstance(config, str):
            raise InvalidRequest("Label Studio sends tasks and label_config; one of them is not.")
        try:
            control = await run_blocking(control_of, config)
        except ConfigError as error:
            raise InvalidRequest(str(error)) from error
        live = await run_blocking(parts.registry.live, name)
        version = model_version(name, live)
        await count_images(request.scope, len(tasks))
        predictions = Predictions(request, parts, name, control, label_studio, version)
        return {"results": await predictions.of(tasks), "model_version": version}

    @router.post("/webhook")
    async def webhook(name: Name, parts: ReadyParts, request: Request) -> dict[str, Any]:
        told = await _document(request, parts.settings.max_json_bytes)
        events = await run_blocking(events_of, told)
        if len(events) > _MOST_EVENTS:
            raise RequestTooLarge(
                f"The webhook is about {len(events)} annotations or tasks; at most {_MOST_EVENTS}"
                f" are accepted at a time. {_MENDED}"
            )
        live = await run_blocking(parts.registry.live, name)
        accepted = 0
        if events:
            state = DesiredState(parts.engine)
            images = await run_blocking(state.to_be_learnt, live.state.id, events)
            await count_images(request.scope, images)
            accepted = await _accepted(parts, live, events, _told_by(request, parts))
            worker.wake()
        return {"status": "accepted", "annotations": accepted}

    @router.get("/status")
    async def status(name: Name, parts: ReadyParts) -> dict[str, Any]:
        live = await run_blocking(parts.registry.live, name)
        found = await run_blocking(DesiredState(parts.engine).status, live.state.id)
        # A change is in the database moments before it is in memory, of which queries are answered.
        stored = await run_blocking(parts.store.classifier, name)
        live = await run_blocking(parts.registry.live, name)
        if stored is not None and not live.state.includes(stored.state):
            found = replace(found, waiting=found.waiting + 1)
        return {
            "classifier": bare(name),
            "model_version": model_version(name, live),
            "label_studio_url": label_studio.url or None,
            **asdict(found),
        }

    return router


async def _accepted(
    parts: ServiceParts,
    live: LiveClassifier,
    events: list[Event],
    told_by: Mapping[str, Any] | None,
) -> int:
    state = DesiredState(parts.engine)
    for _ in range(_ATTEMPTS):
        try:
            return await run_blocking(state.accept, live.state.id, events, told_by)
        except Outdated:  # the classifier has gone, or the same was just told
            await run_blocking(parts.registry.live, live.basis().name)
    raise ChangedMeanwhile("The same annotations were told of by others. Send it again.")


def _told_by(request: Request, parts: ServiceParts) -> dict[str, Any] | None:
    """Who tells of annotations, for the audit log and the history."""
    if parts.settings.auth == "none":
        return None
    principal: Principal = principal_of(request.scope)
    return {
        "tenant": principal.tenant,
        "key": principal.key_id,
        "user": principal.user,
        "audited": parts.settings.audit_days > 0,
    }


async def _document(request: Request, most: int) -> dict[str, Any]:
    """The JSON object of a body, whatever media type it is said to be of.

    Args:
        request: Its.
        most: Bytes of it.

    Raises:
        InvalidRequest: It is none.
        RequestTooLarge: Reading it would hold up others.
    """
    body = await request.body()
    if len(body) > most:
        raise RequestTooLarge(
            f"The body has {len(body)} bytes; at most {most} are accepted"
            f" (HANDFUL_MAX_JSON_BYTES). {_MENDED}"
        )
    return await run_blocking(_read, body)


def _read(body: bytes) -> dict[str, Any]:
    check_json(body, _MENDED)
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise InvalidRequest("The body is no JSON object as Label Studio sends it.")
    return told
