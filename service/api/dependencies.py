"""What the routes have in common: the runtime, threads for blocking work, documented errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from fastapi import Depends, Path, Request
from fastapi_problem.error import StatusProblem
from pydantic import BaseModel

from service.api.described import IMAGE_ID_SCHEMA, LABEL_SCHEMA, NAME_SCHEMA
from service.api.openapi import problem_responses
from service.api.waiting import attended
from service.composition import ServiceParts
from service.problems import (
    ChangedMeanwhile,
    ClassifierDamaged,
    InvalidUpload,
    NotReady,
    OtherBackbone,
    Overloaded,
    RequestTooLarge,
    StorageFull,
    StorageUnavailable,
    UnsupportedMediaType,
)
from service.registry.class_texts import ClassTexts, TextsNeeded

Responses = dict[int | str, dict[str, Any]]
P = ParamSpec("P")
T = TypeVar("T")

# Writers wait for each other in threads; with places of their own they never take the readers'.
_WRITER_THREADS = 8
# Each failure is somebody else's change of what class names are to be embedded.
_PLANS = 10


async def _runtime(request: Request) -> ServiceParts:
    runtime: ServiceParts | None = request.app.state.runtime
    if runtime is None:
        raise NotReady(
            "The backbone is still loading. Try again in a few seconds; GET /readyz tells when.",
            headers={"retry-after": "5"},
        )
    return runtime


ReadyRuntime = Annotated[ServiceParts, Depends(_runtime)]
Name = Annotated[
    str,
    Path(
        description="The classifier's name.", examples=["land-cover"], json_schema_extra=NAME_SCHEMA
    ),
]
Label = Annotated[
    str,
    Path(
        description="The class's label; any script, every character one that can be seen. Spaces"
        " around it do not count.",
        examples=["forest"],
        json_schema_extra=LABEL_SCHEMA,
    ),
]
ImageId = Annotated[
    str,
    Path(
        description="The support image's id.",
        examples=["0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1"],
        json_schema_extra=IMAGE_ID_SCHEMA,
    ),
]


async def reading(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call off the event loop."""
    return await anyio.to_thread.run_sync(lambda: call(*args, **kwargs))


async def writing(
    request: Request,
    call: Callable[Concatenate[str, P], T],
    name: str,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a blocking call that changes the classifier ``name`` off the event loop.

    Changes of one classifier wait for each other here, so that they take one thread between
    them and leave the others to other classifiers.
    """
    state = request.app.state
    if not hasattr(state, "writers"):
        state.writers = anyio.CapacityLimiter(_WRITER_THREADS)
        state.turns = WeakValueDictionary()
    turn: asyncio.Lock = state.turns.setdefault(name, asyncio.Lock())
    async with turn:
        return await anyio.to_thread.run_sync(
            lambda: call(name, *args, **kwargs), limiter=state.writers
        )


async def naming(
    request: Request,
    runtime: ServiceParts,
    call: Callable[..., T],
    name: str,
    *args: object,
) -> T:
    """As :func:`writing`, for a call that takes text embeddings of class names last.

    Names are embedded here, while nothing is locked and no writer's thread is taken, until the
    call finds all that it needs.

    Raises:
        Overloaded: Too many texts wait already.
        ChangedMeanwhile: Whenever they were there, the call needed others.
    """
    texts = ClassTexts()
    for _ in range(_PLANS):
        try:
            return await writing(request, call, name, *args, texts)
        except TextsNeeded as needed:
            more = await runtime.texts.embed(needed, name, attended(request))
            texts = texts.with_more(more)
    raise ChangedMeanwhile(
        f"Others changed the classes or the templates of the classifier {_PLANS} times while class"
        " names were embedded for this change; nothing of it was done. Send it again.",
        headers={"retry-after": "5"},
    )


NAMING: tuple[StatusProblem, ...] = (
    RequestTooLarge("The classifier would have 10000 classes times 100 templates, which are..."),
    Overloaded("20000 texts of class names wait already, and no more are admitted. Send the..."),
)
"""Problems of a change that names classes."""
BAD_BODIES: tuple[StatusProblem, ...] = (
    RequestTooLarge("The request body has 2000000 bytes; at most 1048576 are accepted..."),
    InvalidUpload("The body cannot be decoded as gzip, which its Content-Encoding says it is..."),
    UnsupportedMediaType("The Content-Encoding is 'br'. Send the body as it is, or compressed..."),
    Overloaded("The requests that are being received and worked on take all the bytes that..."),
)
"""Problems of a body that is no image."""


def created(model: type[BaseModel]) -> Responses:
    """OpenAPI response for a resource that a PUT has made."""
    return {201: {"model": model, "description": "Created"}}


def change_problems(*examples: StatusProblem) -> Responses:
    """OpenAPI responses of a route that changes a classifier."""
    return classifier_problems(
        *examples,
        ChangedMeanwhile("Others changed the classifier 30 times while..."),
        StorageFull("There is no room for this on the disk of the database /data/handful.db..."),
    )


def classifier_problems(*examples: StatusProblem) -> Responses:
    """OpenAPI responses of a route that uses a classifier."""
    return problems(
        *examples,
        OtherBackbone("Classifier 'land-cover' holds embeddings of the backbone lite (0b54...)..."),
        ClassifierDamaged("land-cover", "its tuning is no JSON object"),
    )


def problems(*examples: StatusProblem, storage: bool = True) -> Responses:
    """OpenAPI responses for these problems, grouped by status.

    Args:
        *examples: What the route says of its own.
        storage: Whether it uses the database.
    """
    common: list[StatusProblem] = [NotReady("The backbone is still loading.")]
    if storage:
        common.append(
            StorageUnavailable("The database /data/handful.db cannot be used now. Another process")
        )
    return problem_responses((*examples, *common))
