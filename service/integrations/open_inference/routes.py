"""``/v2``: the Open Inference Protocol over HTTP."""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Request, Response

from service.access.principal import principal_of
from service.api.deadlines import RequestTimeout, deadline_or_disconnect
from service.api.dependencies import Name, ReadyParts
from service.api.image_quota import count_images
from service.api.json_documents import read_document, refusal
from service.api.limiters import Limiters
from service.api.offloading import live_classifier, run_blocking
from service.api.uploads.bodies import body_of
from service.encoding.image_embedder import Wait
from service.integrations.open_inference.http_answers import http_answer
from service.integrations.open_inference.http_requests import HEADER, read_request
from service.integrations.open_inference.inference import inferred
from service.integrations.open_inference.models import (
    INPUTS,
    PLATFORM,
    VERSION,
    check_version,
    index,
    outputs_of,
    record_of,
    see_that_it_answers,
    server_metadata,
)
from service.problems import EncoderAway, RequestTooLarge
from service.tenancy import bare

router = APIRouter(prefix="/v2")

# Bytes of a body up to which it is parsed beside others, as other JSON is.
_SMALL = 2**20
# Bytes of a body that holds no images.
_MOST_OPTIONS = 64 * 1024
# Elements of an answer up to which it is written on the loop.
_MANY = 1000


async def _version(request: Request) -> str:
    return str(request.path_params.get("version", ""))


Version = Annotated[str, Depends(_version)]
"""The version in the path; empty: there is none."""


@router.get("")
async def about_the_server() -> dict[str, Any]:
    """Name, version and extensions."""
    return server_metadata()


@router.get("/health/live")
async def live() -> dict[str, bool]:
    """Whether the process runs."""
    return {"live": True}


@router.get("/health/ready")
async def ready(parts: ReadyParts) -> dict[str, bool]:
    """Whether it can answer; a problem where it cannot yet."""
    if not parts.backbone.available:
        raise EncoderAway
    return {"ready": True}


@router.get("/models")
async def models(parts: ReadyParts, request: Request) -> dict[str, list[str]]:
    """Names of the classifiers that whoever asks may use."""
    listed = await index(parts, principal_of(request.scope), ready=False)
    return {"models": [one.name for one in listed]}


@router.post("/repository/index")
async def repository_index(parts: ReadyParts, request: Request) -> list[dict[str, str]]:
    """The same with their states; with ``{"ready": true}`` those that can answer."""
    body = await body_of(request)
    if len(body) > _MOST_OPTIONS:
        raise RequestTooLarge(f'The request has at most {_MOST_OPTIONS} bytes: {{"ready": true}}.')
    only = read_document(body).get("ready", False) if body.strip() else False
    if not isinstance(only, bool):
        raise refusal([(("ready",), "is neither true nor false")])
    listed = await index(parts, principal_of(request.scope), ready=only)
    return [one.members() for one in listed]


@router.get("/models/{name}")
@router.get("/models/{name}/versions/{version}")
async def about_a_model(parts: ReadyParts, name: Name, version: Version) -> dict[str, Any]:
    """The tensors that a classifier takes and gives."""
    check_version(name, version)
    record = await record_of(parts, name)
    return {
        "name": bare(name),
        "versions": [VERSION],
        "platform": PLATFORM,
        "inputs": [asdict(one) for one in INPUTS],
        "outputs": [asdict(one) for one in outputs_of(multi_label=record.settings.multi_label)],
    }


@router.get("/models/{name}/ready")
@router.get("/models/{name}/versions/{version}/ready")
async def model_ready(parts: ReadyParts, name: Name, version: Version) -> dict[str, Any]:
    """Whether a classifier can answer; a problem says why it cannot."""
    check_version(name, version)
    await see_that_it_answers(parts, name)
    return {"name": bare(name), "ready": True}


@router.post("/models/{name}/infer")
@router.post("/models/{name}/versions/{version}/infer")
async def infer(
    parts: ReadyParts,
    name: Name,
    request: Request,
    version: Version,
    request_timeout: RequestTimeout = None,
) -> Response:
    """The answers of a classifier to images."""
    check_version(name, version)
    await live_classifier(parts, name)
    body = await body_of(request)
    length = request.headers.get(HEADER)
    turns = Limiters.of(request).documents if len(body) > _SMALL else None
    asked = await anyio.to_thread.run_sync(
        read_request, body, length, parts.settings, limiter=turns
    )

    def waiting(seconds: float) -> Wait:
        return deadline_or_disconnect(request, min(seconds, request_timeout or math.inf))

    tensors = await inferred(parts, name, asked, partial(count_images, request.scope), waiting)
    if sum(len(one.values) for one in tensors) > _MANY:
        return await run_blocking(http_answer, name, asked.id, tensors)
    return http_answer(name, asked.id, tensors)
