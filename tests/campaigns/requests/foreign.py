"""Requests of integrations, which no OpenAPI document describes: JSON, and what goes with it."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.campaigns.requests.dictionary import CLASSIFIERS, LABELS
from tests.campaigns.requests.json_text import mutated
from tests.campaigns.requests.request import Request

INTEGRATIONS = "label-studio,open-inference,hugging-face,photoprism,mcp"
_JSON = (b"content-type", b"application/json")
_CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="choice" toName="image">'
    '<Choice value="ant"/><Choice value="bee"/></Choices></View>'
)
_TOOLS = ("list_classifiers", "classify", "describe_classifier", "add_images", "no_such_tool")
_MOMENT = "2026-01-01T12:00:00.000000Z"
_ACTIONS = (
    "ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED",
    "TASKS_DELETED", "START_TRAINING", "PROJECT_UPDATED",
)  # fmt: skip


class Foreign:
    """Draws requests of other systems, of which most are as they would send them.

    Args:
        images: That are taken.
        mutants: Pictures of which most are not.
    """

    def __init__(self, images: Sequence[bytes], mutants: Sequence[bytes]) -> None:
        self._images = [base64.b64encode(one).decode() for one in images]
        self._mutants = mutants

    def request(self, draw: random.Random) -> Request:
        """One of any of them."""
        return draw.choice(_MAKERS)(self, draw)

    def _posted(self, path: str, document: Any, draw: random.Random) -> Request:
        method = b"POST" if draw.random() < 0.95 else b"GET"
        return Request(method, path.encode(), fields=[_JSON], body=mutated(document, draw))

    def _image(self, draw: random.Random) -> str:
        return draw.choice(self._images)

    def webhook(self, draw: random.Random) -> Request:
        """Of Label Studio."""
        path = f"/label-studio/{draw.choice(CLASSIFIERS)}/webhook"
        return self._posted(path, webhook(draw), draw)

    def label_studio(self, draw: random.Random) -> Request:
        """What it asks a backend besides."""
        path = f"/label-studio/{draw.choice(CLASSIFIERS)}"
        if draw.random() < 0.3:
            return Request(
                b"GET", f"{path}/{draw.choice(('health', 'versions', 'status'))}".encode()
            )
        image = f"data:image/png;base64,{self._image(draw)}"
        tasks = [{"id": one, "data": {"image": image}} for one in range(draw.randrange(3))]
        document = {"tasks": tasks, "label_config": _CONFIG, "project": "1.2", "params": {}}
        return self._posted(f"{path}/{draw.choice(('predict', 'setup'))}", document, draw)

    def inference(self, draw: random.Random) -> Request:
        """The Open Inference Protocol, in JSON or with binary tensors."""
        name = draw.choice(CLASSIFIERS)
        if draw.random() < 0.2:
            tail = draw.choice(("", "/ready", "/versions/1", "/versions/1/ready"))
            paths = ("/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{name}{tail}")
            return Request(b"GET", draw.choice(paths).encode())
        if draw.random() < 0.5:
            tensor = {
                "name": "image", "datatype": "BYTES", "shape": [1], "data": [self._image(draw)],
            }  # fmt: skip
            document = {"id": "a", "inputs": [tensor], "outputs": [{"name": "label"}]}
            return self._posted(f"/v2/models/{name}/infer", document, draw)
        return self._binary(name, draw)

    def _binary(self, name: str, draw: random.Random) -> Request:
        images = [draw.choice(self._mutants) for _ in range(draw.randrange(1, 3))]
        lengths = [draw.choice((0, 1, -1 % 2**32)) if draw.random() < 0.1 else 0 for _ in images]
        data = b"".join(
            struct.pack("<I", (len(one) + wrong) % 2**32) + one
            for one, wrong in zip(images, lengths, strict=True)
        )
        size = len(data) if draw.random() < 0.9 else draw.choice((0, -1, 2**40, len(data) + 1))
        tensor = {
            "name": "image",
            "datatype": "BYTES",
            "shape": [len(images)],
            "parameters": {"binary_data_size": size},
        }
        document = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
        head = json.dumps(document).encode() if draw.random() < 0.7 else mutated(document, draw)
        told = len(head) if draw.random() < 0.9 else draw.choice((0, len(head) + 1, 10**9))
        fields = [(b"inference-header-content-length", b"%d" % told)]
        path = f"/v2/models/{name}/infer".encode()
        return Request(b"POST", path, fields=fields, body=head + data)

    def hugging_face(self, draw: random.Random) -> Request:
        """Image classification, zero-shot or by a classifier."""
        if draw.random() < 0.4:
            document = {
                "inputs": self._image(draw),
                "parameters": {"candidate_labels": ["ant", "bee"], "hypothesis_template": "a {}"},
            }
            return self._posted("/hugging-face", document, draw)
        parameters = {"top_k": 2, "function_to_apply": "softmax"}
        document = {"inputs": self._image(draw), "parameters": parameters}
        return self._posted(f"/hugging-face/{draw.choice(CLASSIFIERS)}", document, draw)

    def photoprism(self, draw: random.Random) -> Request:
        """Its vision service."""
        image = f"data:image/jpeg;base64,{self._image(draw)}"
        document = {"id": "a", "images": [image], "model": "m", "version": "latest"}
        return self._posted(f"/photoprism/{draw.choice(CLASSIFIERS)}", document, draw)

    def mcp(self, draw: random.Random) -> Request:
        """The Model Context Protocol."""
        arguments = {
            "classifier": draw.choice(CLASSIFIERS),
            "images": [{"data": self._image(draw)}],
        }
        parameters: Mapping[str, Any] = draw.choice(
            (
                {"name": draw.choice(_TOOLS), "arguments": arguments},
                {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {},
                    "clientInfo": {"name": "fuzz", "version": "0"},
                },
            )
        )
        method = draw.choice(("tools/call", "tools/call", "tools/list", "initialize", "ping", "x"))
        document = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        request = self._posted("/mcp", document, draw)
        if draw.random() < 0.9:
            request.put(b"accept", b"application/json, text/event-stream")
        return request


_MAKERS: tuple[Callable[[Foreign, random.Random], Request], ...] = (
    Foreign.webhook, Foreign.webhook, Foreign.label_studio, Foreign.inference, Foreign.inference,
    Foreign.hugging_face, Foreign.photoprism, Foreign.mcp,
)  # fmt: skip


def webhook(draw: random.Random) -> dict[str, Any]:
    """A webhook as Label Studio sends it, of annotations that are made, changed or deleted."""
    number = draw.randrange(1, 20)
    value = {"choices": [draw.choice(LABELS)]}
    region = {"from_name": "choice", "to_name": "image", "type": "choices", "value": value}
    annotation = {
        "id": number, "task": number, "result": [region], "was_cancelled": draw.random() < 0.1,
        "updated_at": _MOMENT,
    }  # fmt: skip
    task = {"id": number, "data": {"image": "/data/upload/1/a.png"}}
    several = draw.random() < 0.5
    return {
        "action": draw.choice(_ACTIONS),
        "project": {"id": 1, "created_at": _MOMENT, "label_config": _CONFIG},
        "annotation": [annotation] if several else annotation,
        "task": [task] if several else task,
        "tasks": [{"id": number}],
        "annotations": [{"id": number}],
    }
