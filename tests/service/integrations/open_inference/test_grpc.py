"""The protocol over gRPC, spoken by Triton's client to a service on a socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx2 as httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, service_pb2
from tritonclient.utils import InferenceServerException

from service.settings import Settings
from tests.service.client import Classifier
from tests.service.integrations.open_inference.conftest import (
    GRPC_PORT,
    MOST_BYTES,
    MOST_IMAGES,
    free_port,
)
from tests.service.pictures import encoded, noise, picture
from tests.service.server import Server, run_handful

Infer = Callable[[Any], Any]


@pytest.fixture(scope="module")
def triton(oip: Server) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(f"127.0.0.1:{GRPC_PORT}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def channel(oip: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{GRPC_PORT}") as channel:
        yield channel


@pytest.fixture(scope="module")
def raw_infer(channel: grpc.Channel) -> Infer:
    """Sends bytes as they are."""
    method = "/inference.GRPCInferenceService/ModelInfer"
    infer: Infer = channel.unary_unary(method)
    return infer


def tensor(*images: bytes, batched: bool = False) -> InferInput:
    shape = [len(images), 1] if batched else [len(images)]
    made = InferInput("image", shape, "BYTES")
    made.set_data_from_numpy(np.array(images, dtype=object).reshape(shape))
    return made


def request(*images: bytes, name: str = "insects", **of_input: Any) -> Any:
    message = service_pb2.ModelInferRequest(model_name=name)
    terms = {"name": "image", "datatype": "BYTES", "shape": [len(images)]} | of_input
    message.inputs.add(**terms).contents.bytes_contents.extend(images)
    return message


def test_the_server_and_its_models_tell_of_themselves(
    triton: InferenceServerClient, insects: Classifier, oip_http: httpx.Client
) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.get_server_metadata(as_json=True) == oip_http.get("/v2").json()
    told = triton.get_model_metadata("insects", as_json=True)
    over_http = oip_http.get("/v2/models/insects").json()
    assert [one["name"] for one in told["outputs"]] == [one["name"] for one in over_http["outputs"]]
    assert told["versions"] == over_http["versions"]
    Classifier(oip_http, "empty").put()
    index = triton.get_model_repository_index(as_json=True)["models"]
    assert {one["name"]: one["state"] for one in index} == {
        one["name"]: one["state"] for one in oip_http.post("/v2/repository/index").json()
    }
    assert triton.is_model_ready("insects")
    assert not any(triton.is_model_ready(one) for one in ("empty", "nobody"))
    assert not triton.is_model_ready("insects", "2")


@pytest.mark.parametrize("batched", [False, True])
def test_images_are_answered_as_by_the_service_itself(
    triton: InferenceServerClient, insects: Classifier, batched: bool
) -> None:
    images = [picture(1), picture(3), picture(7)]
    expected = insects.predictions(*images)
    result = triton.infer("insects", [tensor(*images, batched=batched)], request_id="seven")
    response = result.get_response()
    assert (response.model_name, response.model_version, response.id) == ("insects", "1", "seven")
    label, probability, known = map(result.as_numpy, ("label", "probability", "known"))
    assert label.shape == ((3, 1) if batched else (3,))
    assert [one.decode() for one in label.ravel()] == [one["label"] for one in expected]
    assert known.ravel().tolist() == [one["known"] for one in expected]
    np.testing.assert_allclose(
        probability.ravel(), [one["probability"] for one in expected], rtol=1e-5
    )


def test_contents_of_their_type_are_answered_with_such(
    raw_infer: Infer, insects: Classifier
) -> None:
    answer = raw_infer(request(picture(1), picture(7)).SerializeToString())
    response = service_pb2.ModelInferResponse.FromString(answer)
    [first, second] = insects.predictions(picture(1), picture(7))
    label, probability, known = (one.contents for one in response.outputs)
    assert not response.raw_output_contents
    assert list(label.bytes_contents) == [first["label"].encode(), second["label"].encode()]
    assert list(probability.fp32_contents) == pytest.approx(
        [first["probability"], second["probability"]]
    )
    assert list(known.bool_contents) == [first["known"], second["known"]]


def test_outputs_are_those_that_are_asked_for(
    triton: InferenceServerClient, insects: Classifier, several: Classifier
) -> None:
    wanted = [InferRequestedOutput("known"), InferRequestedOutput("label", class_count=2)]
    result = triton.infer("insects", [tensor(picture(1))], outputs=wanted)
    assert [one.name for one in result.get_response().outputs] == ["known", "label"]
    [best] = result.as_numpy("label").tolist()
    assert [one.decode().split(":")[1:] for one in best] == [["0", "ant"], ["1", "bee"]]
    images = [picture(1), picture(5), picture(77)]
    labels = triton.infer("several", [tensor(*images)]).as_numpy("labels")
    assert [[one.decode() for one in row if one] for row in labels] == [
        one["labels"] for one in several.predictions(*images)
    ]


def test_calls_are_answered_beside_each_other_and_beside_http(
    triton: InferenceServerClient, insects: Classifier
) -> None:
    images = [picture(i) for i in range(20)]

    def ask(image: bytes) -> tuple[str, str]:
        label = triton.infer("insects", [tensor(image)]).as_numpy("label")
        return label[0].decode(), insects.predictions(image)[0]["label"]

    with ThreadPoolExecutor(10) as threads:
        for over_grpc, over_http in threads.map(ask, images):
            assert over_grpc == over_http


WRONG: dict[str, tuple[Any, str]] = {
    "no message": (b"\xff", "no ModelInferRequest"),
    "nothing": (b"", "cannot name a classifier"),
    "no input": (service_pb2.ModelInferRequest(model_name="insects"), "has not one tensor"),
    "pixels": (request(picture(1), datatype="UINT8"), "datatype is not 'BYTES'"),
    "a negative shape": (request(picture(1), shape=[-1]), "neither [n] nor"),
    "a shape of more": (request(picture(1), shape=[2]), "has 1 elements, and its shape"),
    "a huge shape": (request(picture(1), shape=[2**62]), "At most 8 images"),
    "no image": (request(shape=[0]), "carries no image"),
    "no picture": (request(b"hello"), "bytes_contents[0]"),
    "too many": (request(*[b"a"] * (MOST_IMAGES + 1)), "more images than are accepted"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_malformed_is_told(raw_infer: Infer, insects: Classifier, case: str) -> None:
    message, told = WRONG[case]
    sent = message if isinstance(message, bytes) else message.SerializeToString()
    with pytest.raises(grpc.RpcError) as caught:
        raw_infer(sent)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert told in caught.value.details()
    assert dict(caught.value.trailing_metadata())["problem-type"]


def test_raw_contents_that_lie_are_told(raw_infer: Infer, insects: Classifier) -> None:
    both = request(picture(1))
    both.raw_input_contents.append(b"")
    short = request(shape=[1])
    short.raw_input_contents.append(b"\xff\xff\xff\xffabc")
    short.inputs[0].ClearField("contents")
    for message, told in ((both, "send one of them"), (short, "a length of 4294967295 bytes")):
        with pytest.raises(grpc.RpcError) as caught:
            raw_infer(message.SerializeToString())
        assert told in caught.value.details()


def test_what_is_not_there_and_what_is_too_large_have_codes(
    triton: InferenceServerClient, insects: Classifier
) -> None:
    cases: list[tuple[str, str, InferInput, str, str]] = [
        ("nobody", "", tensor(picture(1)), "NOT_FOUND", "There is no classifier 'nobody'"),
        ("insects", "7", tensor(picture(1)), "NOT_FOUND", "has the version '1' and no other"),
        ("a/b", "", tensor(picture(1)), "INVALID_ARGUMENT", "cannot name a classifier"),
        (
            *("insects", "", tensor(encoded(noise(1, (120, 120)), "BMP"))),
            *("INVALID_ARGUMENT", "at most 20000 are accepted"),
        ),
        (
            *("insects", "", tensor(b"\0" * (MOST_BYTES + 1))),
            *("RESOURCE_EXHAUSTED", "larger than max"),
        ),
    ]
    for name, version, image, code, told in cases:
        with pytest.raises(InferenceServerException, match=told) as caught:
            triton.infer(name, [image], version)
        assert caught.value.status() == f"StatusCode.{code}"
    with pytest.raises(InferenceServerException, match="within 1e-06 s"):
        triton.infer("insects", [tensor(picture(1))], timeout=1)


def test_its_health_is_told_as_orchestrators_ask(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "inference.GRPCInferenceService"):
        told = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
        assert told.status == health_pb2.HealthCheckResponse.SERVING


def test_calls_are_counted(oip_http: httpx.Client, triton: InferenceServerClient) -> None:
    assert triton.is_server_live()
    told = oip_http.get("/metrics").text
    assert 'handful_grpc_seconds_count{code="OK",method="ServerLive"}' in told


def test_a_port_that_somebody_has_is_told(tmp_path: Path, vit: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_handful(
            *("serve", "--port", "0", "--data-dir", str(tmp_path)),
            backbone=vit,
            integrations="open-inference",
            grpc_port=port,
        )
    assert done.returncode != 0
    assert "HANDFUL_GRPC_PORT" in done.stderr + done.stdout


def test_the_port_is_of_the_integration() -> None:
    with pytest.raises(ValidationError, match="needs HANDFUL_INTEGRATIONS=open-inference"):
        Settings(grpc_port=free_port())
