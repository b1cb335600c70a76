"""Messages on the wire: parted as a parser of Protocol Buffers reads them, at the cost of few."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from fastapi_problem.error import StatusProblem
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from service.integrations.open_inference.rpc.generate import DESCRIPTORS, descriptors
from service.integrations.open_inference.rpc.messages import InferInputTensor, ModelInferRequest
from service.integrations.open_inference.rpc.wire import parted
from service.problems import InvalidRequest, RequestTooLarge

MOST = 20


def test_descriptors_are_those_of_the_proto(tmp_path: Path) -> None:
    made = tmp_path / "made.binpb"
    assert descriptors(made) == 0
    assert made.read_bytes() == DESCRIPTORS.read_bytes()


def test_messages_are_those_of_triton() -> None:
    for name in (
        "ModelInferRequest",
        "ModelInferResponse",
        "ModelMetadataResponse",
        "RepositoryIndexResponse",
        "InferTensorContents",
    ):
        theirs = service_pb2.DESCRIPTOR.message_types_by_name[name]
        ours = ModelInferRequest.DESCRIPTOR.file.message_types_by_name[name]
        assert [(f.name, f.number, f.type) for f in ours.fields] == [
            (f.name, f.number, f.type) for f in theirs.fields
        ]


@given(
    st.text(max_size=20),
    st.lists(st.binary(max_size=50), max_size=5),
    st.lists(st.binary(max_size=50), max_size=3),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3),
)
def test_what_a_client_writes_is_parted(
    name: str,
    elements: list[bytes],
    raw: list[bytes],
    shape: list[int],
    parameters: dict[str, int],
) -> None:
    message = service_pb2.ModelInferRequest(
        model_name=name, raw_input_contents=raw, outputs=[{"name": "label"}]
    )
    given = message.inputs.add(name="image", datatype="BYTES", shape=shape)
    given.contents.bytes_contents.extend(elements)
    for key, value in parameters.items():
        given.parameters[key].int64_param = value
        message.parameters[key].int64_param = value
    found = parted(message.SerializeToString(), MOST)
    assert [bytes(one) for one in found.raw] == raw
    [tensor] = found.inputs
    assert [bytes(one) for one in tensor.elements] == elements
    read = InferInputTensor.FromString(bytes(tensor.left))
    assert (read.name, list(read.shape)) == ("image", shape)
    assert {key: one.int64_param for key, one in read.parameters.items()} == parameters
    left = ModelInferRequest.FromString(bytes(found.left))
    assert (left.model_name, [one.name for one in left.outputs]) == (name, ["label"])
    assert {key: one.int64_param for key, one in left.parameters.items()} == parameters


@given(st.binary(max_size=100))
def test_of_any_bytes_either_all_is_parted_or_nothing(message: bytes) -> None:
    try:
        found = parted(message, MOST)
    except StatusProblem as problem:
        assert isinstance(problem, InvalidRequest | RequestTooLarge)  # noqa: PT017
        return
    held = len(found.left) + sum(map(len, found.raw)) + sum(len(i.left) for i in found.inputs)
    assert held <= len(message)


@pytest.mark.parametrize(
    "message",
    [
        b"\x3a\x00" * 2**20,  # empty raw contents
        b"\x2a\x00" * 2**20,  # empty inputs
        b"\x22\x00" * 2**20,  # empty parameters
        b"\x08\x01" * 2**20,  # fields that are none
        b"\x2a\x80\x80\x80\x01" + b"\x2a\x00" * 2**20,  # empty contents of an input
        # Empty images: an input whose contents hold nothing but those.
        b"\x2a\x86\x80\x80\x01" + b"\x2a\x80\x80\x80\x01" + b"\x42\x00" * 2**20,
    ],
    ids=["raw", "inputs", "parameters", "unknown", "contents", "images"],
)
def test_very_many_small_fields_cost_less_than_the_message(message: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises((InvalidRequest, RequestTooLarge)):
            parted(message, MOST)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(message) / 4


def test_small_fields_are_counted_wherever_they_are() -> None:
    within = MOST + 1000
    fields = b"\x10\x01"  # a number, of which nothing is known
    parted(fields * within, MOST)
    for message, told in (
        (fields * (within + 1), "more than 1020 fields"),
        (b"\x2a\x80\x10" + fields * 2**10, "more than 1020 fields"),
        (b"\x2a\x04" + b"\x2a\x00" * 2, "contents twice"),
    ):
        with pytest.raises((RequestTooLarge, InvalidRequest)) as caught:
            parted(message, MOST)
        assert told in str(caught.value.detail)
