"""Answers to inference requests over HTTP: JSON, with binary tensors behind it where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Response
from pydantic_core import to_json

from service.integrations.open_inference.http_requests import HEADER
from service.integrations.open_inference.models import VERSION
from service.integrations.open_inference.output_tensors import OutputTensor
from service.tenancy import bare


def http_answer(name: str, request_id: str, tensors: Sequence[OutputTensor]) -> Response:
    """The answer of a classifier.

    Args:
        name: The classifier's.
        request_id: Of the request; empty: it had none.
        tensors: The outputs, in their order.
    """
    binaries: list[bytes] = []

    def shown(tensor: OutputTensor) -> dict[str, Any]:
        about = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if not tensor.as_bytes:
            return about | {"data": tensor.values}
        binaries.append(tensor.binary())
        return about | {"parameters": {"binary_data_size": len(binaries[-1])}}

    document: dict[str, Any] = {"model_name": bare(name), "model_version": VERSION}
    if request_id:
        document["id"] = request_id
    text = to_json(document | {"outputs": [shown(one) for one in tensors]})
    if not binaries:
        return Response(text, media_type="application/json")
    return Response(
        b"".join([text, *binaries]),
        media_type="application/octet-stream",
        headers={HEADER: str(len(text))},
    )
