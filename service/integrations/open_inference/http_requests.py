"""Bodies of inference requests over HTTP: JSON, JSON with binary tensors behind it, one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from service.api.json_documents import LongString, Path, read_document, refusal
from service.api.json_images.reading import uploaded
from service.images.uploaded import UploadedImage
from service.integrations.open_inference.binary_tensors import BinaryTensorError, elements_of
from service.integrations.open_inference.inference_request import (
    AskedOutput,
    InferenceRequest,
    asked_output,
    check_id,
    check_no_shared_memory,
    expected_images,
    seconds_of,
)
from service.problems import EmptyUpload, InvalidRequest, InvalidUpload
from service.settings import Settings

HEADER = "inference-header-content-length"
_DATA: Path = ("inputs", 0, "data")


def read_request(body: bytes, json_length: str | None, settings: Settings) -> InferenceRequest:
    """An inference request of a body; blocks as parsing its JSON does.

    Args:
        body: All of it.
        json_length: Bytes of it that are JSON, before those of tensors, as the header field says;
            None: all. Where it is 0 the body is one image.
        settings: The limits.

    Raises:
        InvalidRequest, InvalidUpload: It is not as described; says where.
        EmptyUpload: There is no image.
        RequestTooLarge: There are too many images, or too many values.
    """
    length = _length(body, json_length)
    if length == 0:
        return InferenceRequest([UploadedImage.of("", body)])
    text, rest = body[:length], memoryview(body)[length:]  # all of it is no copy
    if text.lstrip()[:1] != b"{":
        raise InvalidRequest('The JSON is no object. Send {"inputs": [...]}.')
    document = read_document(text)
    parameters = _parameters((), document)
    given = _one_input(document)
    place: Path = ("inputs", 0)
    shape = given.get("shape")
    if not isinstance(shape, list):
        raise refusal([((*place, "shape"), "is missing, or no list")])
    of_input = _parameters(place, given)
    check_no_shared_memory(place, of_input)
    count = expected_images(place, given.get("name"), given.get("datatype"), shape, settings)
    if "binary_data_size" in of_input:
        images = _of_bytes(given, of_input["binary_data_size"], rest, count)
    else:
        if len(rest):
            why = f"is missing, and {len(rest)} bytes follow the JSON"
            raise refusal([((*place, "parameters", "binary_data_size"), why)])
        images = _of_json(given, of_input, count, settings)
    binary = parameters.get("binary_data_output", False)
    if not isinstance(binary, bool):
        raise refusal([(("parameters", "binary_data_output"), "is neither true nor false")])
    return InferenceRequest(
        images,
        batched=len(shape) == 2,
        id=check_id(document.get("id", "")),
        outputs=_outputs(document),
        binary=binary,
        seconds=seconds_of(parameters),
    )


def _length(body: bytes, json_length: str | None) -> int:
    if not body:
        raise EmptyUpload('The request has no body. Send {"inputs": [...]}.')
    if json_length is None:
        return len(body)
    digits = json_length.strip()
    # As long as a number of the body's size; int() takes long over thousands of digits.
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 15:
        raise InvalidRequest("Inference-Header-Content-Length is no number of bytes.")
    if int(digits) > len(body):
        raise InvalidRequest(
            f"Inference-Header-Content-Length is {digits}, and the body has {len(body)} bytes. It"
            " says how many of them are JSON."
        )
    return int(digits)


def _one_input(document: Mapping[str, Any]) -> Mapping[str, Any]:
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise refusal([(("inputs",), "is no list of one object, the input 'image'")])
    found: dict[str, Any] = inputs[0]
    return found


def _parameters(place: Path, given: Mapping[str, Any]) -> Mapping[str, Any]:
    found = given.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise refusal([((*place, "parameters"), "is no object")])
    return found


def _of_bytes(
    given: Mapping[str, Any], size: object, rest: memoryview, count: int
) -> list[UploadedImage]:
    place: Path = ("inputs", 0, "parameters", "binary_data_size")
    if not isinstance(size, int) or isinstance(size, bool) or size != len(rest):
        why = f"is not the number of bytes that follow the JSON, which are {len(rest)}"
        raise refusal([(place, why)])
    if "data" in given:
        raise refusal([(_DATA, "is there, and so are bytes behind the JSON; send one of them")])
    return binary_images(rest, count)


def binary_images(data: memoryview, count: int) -> list[UploadedImage]:
    """The images of a binary tensor; each is copied where it is decoded.

    Raises:
        InvalidUpload: It is none of so many elements.
    """
    try:
        elements = elements_of(data, count)
    except BinaryTensorError as error:
        raise InvalidUpload(f"The binary data of inputs[0] {error}.") from error
    return [
        UploadedImage("", partial(bytes, one), f"inputs[0].data[{i}]")
        for i, one in enumerate(elements)
    ]


def _of_json(
    given: Mapping[str, Any], parameters: Mapping[str, Any], count: int, settings: Settings
) -> list[UploadedImage]:
    if parameters.get("content_type", "base64") != "base64":
        why = "is not 'base64', as which images are written in JSON"
        raise refusal([(("inputs", 0, "parameters", "content_type"), why)])
    data = given.get("data")
    if not isinstance(data, list):
        raise refusal([(_DATA, "is missing, or no list of images in base64")])
    if len(data) != count:
        why = f"has {len(data)} elements, and its shape tells of {count}"
        raise refusal([(_DATA, why)])
    return [_image(one, i, settings) for i, one in enumerate(data)]


def _image(given: object, i: int, settings: Settings) -> UploadedImage:
    """An element: text, or where the tensor is nested as its shape is, a list of one."""
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, str | LongString):
        raise refusal([((*_DATA, i), "is no string: write the bytes of an image in base64")])
    return uploaded(given, "", (*_DATA, i), settings)


def _outputs(document: Mapping[str, Any]) -> Sequence[AskedOutput]:
    given = document.get("outputs")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise refusal([(("outputs",), "is no list")])
    found = []
    for i, one in enumerate(given):
        if not isinstance(one, dict):
            raise refusal([(("outputs", i), "is no object with a name")])
        found.append(
            asked_output(("outputs", i), one.get("name"), _parameters(("outputs", i), one))
        )
    return found
