"""The methods of the service ``inference.GRPCInferenceService``."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple, TypeVar

import anyio.to_thread

from service.access.principal import Scope, principal_of
from service.api.image_quota import count_images
from service.api.offloading import live_classifier
from service.encoding.image_embedder import Wait
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
from service.integrations.open_inference.output_tensors import OutputTensor
from service.integrations.open_inference.rpc import messages
from service.integrations.open_inference.rpc.calls import Answer, Call
from service.integrations.open_inference.rpc.requests import ReceivedRequest, parsed
from service.problems import (
    ClassifierNotFound,
    DeadlineExceeded,
    ModelNotFound,
    NoClasses,
    RequestTooLarge,
)
from service.tenancy import bare

# Bytes of a message that holds no images.
_SMALL = 64 * 1024
# Bytes of a message up to which it is read on the event loop.
_QUICK = 4 * 1024

T = TypeVar("T")


class Method(NamedTuple):
    """A method.

    Attributes:
        answer: Makes the answer of a message.
        scope: What a key needs; None: anybody may call it, and its message is not looked at.
    """

    answer: Answer
    scope: Scope | None


async def _live(_: Call, __: bytes) -> Any:
    return messages.ServerLiveResponse(live=True)


async def _ready(call: Call, _: bytes) -> Any:
    parts = call.app.state.parts
    return messages.ServerReadyResponse(ready=parts is not None and parts.backbone.available)


async def _server_metadata(_: Call, __: bytes) -> Any:
    return messages.ServerMetadataResponse(**server_metadata())


async def _model_ready(call: Call, message: bytes) -> Any:
    asked = _small(messages.ModelReadyRequest, message)
    name = await call.classifier(asked.name, "GET", "/ready")
    try:
        check_version(name, asked.version)
        await see_that_it_answers(call.parts, name)
    except (ClassifierNotFound, ModelNotFound, NoClasses):
        return messages.ModelReadyResponse(ready=False)
    return messages.ModelReadyResponse(ready=True)


async def _model_metadata(call: Call, message: bytes) -> Any:
    asked = _small(messages.ModelMetadataRequest, message)
    name = await call.classifier(asked.name, "GET")
    check_version(name, asked.version)
    record = await record_of(call.parts, name)
    return messages.ModelMetadataResponse(
        name=bare(name),
        versions=[VERSION],
        platform=PLATFORM,
        inputs=[asdict(one) for one in INPUTS],
        outputs=[asdict(one) for one in outputs_of(multi_label=record.settings.multi_label)],
    )


async def _repository_index(call: Call, message: bytes) -> Any:
    asked = _small(messages.RepositoryIndexRequest, message)
    await call.admit("POST", "/v2/repository/index")
    listed = await index(call.parts, principal_of(call.scope), ready=asked.ready)
    return messages.RepositoryIndexResponse(models=[one.members() for one in listed])


async def _infer(call: Call, message: bytes) -> Any:
    parts = call.parts
    received = await _read(message, partial(ReceivedRequest.of, message, parts.settings))
    name = await call.classifier(received.name, "POST", "/infer")
    check_version(name, received.version)
    await live_classifier(parts, name)
    request, raw = await _read(message, partial(received.request, parts.settings))

    def waiting(seconds: float) -> Wait:
        return _deadline(min(seconds, math.inf if call.seconds is None else call.seconds))

    tensors = await inferred(parts, name, request, partial(count_images, call.scope), waiting)
    return messages.ModelInferResponse(
        model_name=bare(name),
        model_version=VERSION,
        id=request.id,
        outputs=[_output(one, raw=raw) for one in tensors],
        raw_output_contents=[one.binary() for one in tensors] if raw else [],
    )


METHODS: Mapping[str, Method] = {
    "ServerLive": Method(_live, None),
    "ServerReady": Method(_ready, None),
    "ServerMetadata": Method(_server_metadata, None),
    "ModelReady": Method(_model_ready, Scope.READ),
    "ModelMetadata": Method(_model_metadata, Scope.READ),
    "RepositoryIndex": Method(_repository_index, Scope.READ),
    "ModelInfer": Method(_infer, Scope.PREDICT),
}


def _deadline(seconds: float) -> Wait:
    """A wait until then; a client that is gone has its call cancelled, and this with it."""

    async def wait(answer: asyncio.Future[Any]) -> None:
        await asyncio.wait([answer], timeout=seconds)
        if not answer.done():
            raise DeadlineExceeded(
                f"There was no answer within {seconds:g} s, and it is not worked on any more. Send"
                " the request again when there is less to do, or allow it more time (up to"
                " HANDFUL_PREDICT_SECONDS)."
            )

    return wait


async def _read(message: bytes, read: Callable[[], T]) -> T:
    """Read a message, off the event loop unless that is done at once."""
    return read() if len(message) <= _QUICK else await anyio.to_thread.run_sync(read)


def _small(kind: Any, message: bytes) -> Any:
    if len(message) > _SMALL:
        raise RequestTooLarge(f"A {kind.DESCRIPTOR.name} has at most {_SMALL} bytes.")
    return parsed(kind, message)


def _output(tensor: OutputTensor, *, raw: bool) -> dict[str, Any]:
    about = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
    if raw:
        return about
    if tensor.datatype == "BYTES":
        return about | {"contents": {"bytes_contents": tensor.encoded()}}
    of_type = "fp32_contents" if tensor.datatype == "FP32" else "bool_contents"
    return about | {"contents": {of_type: tensor.values}}
