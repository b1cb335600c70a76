"""``ModelInferRequest`` as an inference request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from service.api.json_documents import Path, refusal
from service.images.uploaded import UploadedImage
from service.integrations.open_inference.http_requests import binary_images
from service.integrations.open_inference.inference_request import (
    InferenceRequest,
    asked_output,
    check_id,
    check_no_shared_memory,
    expected_images,
    seconds_of,
)
from service.integrations.open_inference.rpc.messages import InferInputTensor, ModelInferRequest
from service.integrations.open_inference.rpc.wire import PartedInput, PartedRequest, parted
from service.problems import InvalidRequest
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A message, of which nothing but its address was looked at.

    Attributes:
        name: The model's.
        version: The version that is asked.
    """

    name: str
    version: str
    _parts: PartedRequest
    _message: Any

    @classmethod
    def of(cls, message: bytes, settings: Settings) -> ReceivedRequest:
        """A message as it came.

        Raises:
            InvalidRequest, RequestTooLarge: It is no ModelInferRequest.
        """
        parts = parted(message, settings.max_images_per_request)
        read = parsed(ModelInferRequest, bytes(parts.left))
        return cls(read.model_name, read.model_version, parts, read)

    def request(self, settings: Settings) -> tuple[InferenceRequest, bool]:
        """What is asked, and whether its tensors are raw.

        Raises:
            InvalidRequest, InvalidUpload: It is not as described; says where.
            EmptyUpload: There is no image.
            RequestTooLarge: There are too many.
        """
        if len(self._parts.inputs) != 1:
            raise refusal([(("inputs",), "has not one tensor, the input 'image'")])
        place: Path = ("inputs", 0)
        [given] = self._parts.inputs
        read = parsed(InferInputTensor, bytes(given.left))
        check_no_shared_memory(place, _parameters(read.parameters))
        shape = list(read.shape)
        count = expected_images(place, read.name, read.datatype, shape, settings)
        images = self._images(given, count)
        parameters = _parameters(self._message.parameters)
        outputs = [
            asked_output(("outputs", i), one.name, _parameters(one.parameters))
            for i, one in enumerate(self._message.outputs)
        ]
        asked = InferenceRequest(
            images,
            batched=len(shape) == 2,
            id=check_id(self._message.id),
            outputs=outputs,
            seconds=seconds_of(parameters),
        )
        return asked, bool(self._parts.raw)

    def _images(self, given: PartedInput, count: int) -> list[UploadedImage]:
        if self._parts.raw:
            if given.has_contents or len(self._parts.raw) != 1:
                why = "is there for the one input, and so are other contents; send one of them"
                raise refusal([(("raw_input_contents",), why)])
            return binary_images(self._parts.raw[0], count)
        if len(given.elements) != count:
            why = f"has {len(given.elements)} elements, and its shape tells of {count}"
            raise refusal([(("inputs", 0, "contents", "bytes_contents"), why)])
        return [
            UploadedImage("", partial(bytes, one), f"inputs[0].contents.bytes_contents[{i}]")
            for i, one in enumerate(given.elements)
        ]


def parsed(kind: Any, message: bytes) -> Any:
    """A message of that class.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        return kind.FromString(message)
    except DecodeError as error:
        raise InvalidRequest(f"The message is no {kind.DESCRIPTOR.name}.") from error


def _parameters(given: Mapping[str, Any]) -> Mapping[str, Any]:
    values = {name: (one, one.WhichOneof("parameter_choice")) for name, one in given.items()}
    return {name: getattr(one, kind) for name, (one, kind) in values.items() if kind is not None}
