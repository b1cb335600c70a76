"""The protocol over HTTP, spoken by Triton's client to a service on a socket."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.service.client import Classifier, of_four
from tests.service.integrations.open_inference.conftest import MOST_IMAGES
from tests.service.pictures import encoded, noise, picture
from tests.service.server import Server


@pytest.fixture(scope="module")
def triton(oip: Server) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(oip.url.removeprefix("http://"))
    yield client
    client.close()


def tensor(*images: bytes, batched: bool = False) -> InferInput:
    shape = [len(images), 1] if batched else [len(images)]
    made = InferInput("image", shape, "BYTES")
    made.set_data_from_numpy(np.array(images, dtype=object).reshape(shape))
    return made


def in_json(*images: bytes) -> dict[str, Any]:
    return {
        "name": "image",
        "datatype": "BYTES",
        "shape": [len(images)],
        "data": [base64.b64encode(one).decode() for one in images],
    }


def infer(http: httpx.Client, name: str = "insects", **document: Any) -> httpx.Response:
    return http.post(f"/v2/models/{name}/infer", json=document)


def test_the_server_tells_of_itself(triton: InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    told = triton.get_server_metadata()
    assert told["name"] == "handful"
    assert {"binary_tensor_data", "classification"} <= set(told["extensions"])


def test_a_model_tells_of_its_tensors(
    triton: InferenceServerClient, insects: Classifier, several: Classifier
) -> None:
    told = triton.get_model_metadata("insects")
    assert told == triton.get_model_metadata("insects", "1")
    assert told["versions"] == ["1"]
    assert told["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    outputs = {one["name"]: (one["datatype"], one["shape"]) for one in told["outputs"]}
    expected = {
        "label": ("BYTES", [-1]),
        "probability": ("FP32", [-1]),
        "known": ("BOOL", [-1]),
    }
    assert outputs == expected
    of_several = triton.get_model_metadata("several")["outputs"]
    assert of_several[-1] == {"name": "labels", "datatype": "BYTES", "shape": [-1, -1]}


def test_models_are_listed_with_what_keeps_them_from_answering(
    triton: InferenceServerClient, insects: Classifier, oip_http: httpx.Client
) -> None:
    Classifier(oip_http, "empty").put().raise_for_status()
    index = {one["name"]: one for one in triton.get_model_repository_index()}
    assert index["insects"]["state"] == "READY"
    assert index["empty"]["state"] == "UNAVAILABLE"
    assert "has no classes yet" in index["empty"]["reason"]
    ready = oip_http.post("/v2/repository/index", json={"ready": True}).json()
    assert "insects" in {one["name"] for one in ready}
    assert "empty" not in {one["name"] for one in ready}
    assert {"empty", "insects"} <= set(oip_http.get("/v2/models").json()["models"])
    assert triton.is_model_ready("insects")
    assert triton.is_model_ready("insects", "1")
    assert not triton.is_model_ready("empty")
    assert not triton.is_model_ready("insects", "2")
    assert not triton.is_model_ready("nobody")


@pytest.mark.parametrize("batched", [False, True])
def test_images_as_bytes_are_answered_as_by_the_service_itself(
    triton: InferenceServerClient, insects: Classifier, batched: bool
) -> None:
    images = [picture(1), picture(3), picture(7)]
    expected = insects.predictions(*images)
    result = triton.infer("insects", [tensor(*images, batched=batched)], request_id="seven")
    told = result.get_response()
    assert (told["model_name"], told["model_version"], told["id"]) == ("insects", "1", "seven")
    assert [one["name"] for one in told["outputs"]] == ["label", "probability", "known"]
    shape = (3, 1) if batched else (3,)
    label, probability, known = map(result.as_numpy, ("label", "probability", "known"))
    assert label.shape == probability.shape == known.shape == shape
    assert [one.decode() for one in label.ravel()] == [one["label"] for one in expected]
    assert known.ravel().tolist() == [one["known"] for one in expected]
    assert probability.dtype == np.float32
    np.testing.assert_allclose(
        probability.ravel(), [one["probability"] for one in expected], rtol=1e-5
    )


def test_outputs_come_in_the_order_and_the_form_that_is_asked_for(
    triton: InferenceServerClient, insects: Classifier
) -> None:
    wanted = [
        InferRequestedOutput("known", binary_data=False),
        InferRequestedOutput("label", binary_data=True),
    ]
    result = triton.infer("insects", [tensor(picture(1))], outputs=wanted)
    outputs = result.get_response()["outputs"]
    assert [one["name"] for one in outputs] == ["known", "label"]
    assert outputs[0]["data"] == [True]
    assert outputs[1]["parameters"] == {"binary_data_size": len("ant") + 4}
    assert result.as_numpy("label").tolist() == [b"ant"]
    assert result.as_numpy("probability") is None


def test_the_best_classes_are_told_with_value_number_and_label(
    triton: InferenceServerClient, insects: Classifier
) -> None:
    images = [picture(1), picture(3)]
    wanted = [InferRequestedOutput("probability", class_count=2), InferRequestedOutput("label")]
    result = triton.infer("insects", [tensor(*images)], outputs=wanted)
    best = result.as_numpy("probability")
    assert best.shape == (2, 2)
    for row, one in zip(best, insects.predictions(*images), strict=True):
        parts = [cell.decode().split(":", 2) for cell in row]
        assert [part[2] for part in parts] == [each["label"] for each in one["top_k"]]
        assert [part[1] for part in parts] == [
            str(["ant", "bee"].index(each["label"])) for each in one["top_k"]
        ]
        shown = [float(part[0]) for part in parts]
        assert shown == pytest.approx([each["probability"] for each in one["top_k"]], abs=1e-6)
    more = InferRequestedOutput("label", binary_data=False, class_count=1000)
    few = triton.infer("insects", [tensor(picture(1))], outputs=[more])
    assert few.as_numpy("label").shape == (1, 2)  # there are no more


def test_an_image_may_have_several_labels(
    triton: InferenceServerClient, several: Classifier
) -> None:
    images = [picture(1), picture(5), picture(9), picture(77)]
    expected = [one["labels"] for one in several.predictions(*images)]
    assert len(set(map(len, expected))) > 1, "the pictures are too alike for this test"
    labels = triton.infer("several", [tensor(*images)]).as_numpy("labels")
    assert [[one.decode() for one in row if one] for row in labels] == expected


def test_images_in_json_are_base64(insects: Classifier, oip_http: httpx.Client) -> None:
    images = [picture(1), picture(7)]
    given = in_json(*images)
    [first, second] = insects.predictions(*images)
    answer = infer(oip_http, inputs=[given], id="x").json()
    assert answer["id"] == "x"
    assert [one["data"] for one in answer["outputs"]] == [
        [first["label"], second["label"]],
        [first["probability"], second["probability"]],
        [first["known"], second["known"]],
    ]
    marked = given | {"parameters": {"content_type": "base64"}}
    nested = given | {"shape": [2, 1], "data": [[one] for one in given["data"]]}
    uris = given | {"data": [f"data:image/png;base64,{one}" for one in given["data"]]}
    for other in (marked, nested, uris):
        told = infer(oip_http, inputs=[other]).json()["outputs"]
        assert [one["data"] for one in told] == [one["data"] for one in answer["outputs"]]
        assert told[0]["shape"] == other["shape"]


def test_outputs_of_json_may_be_wanted_as_bytes(
    insects: Classifier, oip_http: httpx.Client
) -> None:
    answer = infer(
        oip_http,
        inputs=[in_json(picture(1))],
        outputs=[{"name": "label"}, {"name": "known", "parameters": {"binary_data": False}}],
        parameters={"binary_data_output": True},
    )
    length = int(answer.headers["inference-header-content-length"])
    assert answer.content[length:] == b"\3\0\0\0ant"
    assert b'"data":[true]' in answer.content[:length]


def test_a_body_may_be_one_image(insects: Classifier, oip_http: httpx.Client) -> None:
    answer = oip_http.post(
        "/v2/models/insects/infer",
        content=picture(1),
        headers={"inference-header-content-length": "0"},
    )
    assert answer.json()["outputs"][0]["data"] == ["ant"]


def test_bodies_may_be_compressed(triton: InferenceServerClient, insects: Classifier) -> None:
    result = triton.infer("insects", [tensor(picture(1))], request_compression_algorithm="gzip")
    assert result.as_numpy("label").tolist() == [b"ant"]


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("nobody", "", "There is no classifier 'nobody'"),
        ("insects", "7", "has the version '1' and no other"),
        ("no one", "", "cannot name a classifier"),
    ],
)
def test_what_is_not_there_is_told(
    triton: InferenceServerClient, insects: Classifier, name: str, version: str, told: str
) -> None:
    for ask in (
        lambda: triton.infer(name, [tensor(picture(1))], version),
        lambda: triton.get_model_metadata(name, version),
    ):
        with pytest.raises(InferenceServerException, match=told) as caught:
            ask()
        assert caught.value.status() in ("404", "422")


IMAGE = in_json(picture(1))
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no inputs": ({}, "inputs is no list of one object"),
    "no list": ({"inputs": "image"}, "inputs is no list"),
    "two inputs": ({"inputs": [IMAGE, IMAGE]}, "inputs is no list of one object"),
    "another input": ({"inputs": [IMAGE | {"name": "x"}]}, "name is not 'image'"),
    "pixels": ({"inputs": [IMAGE | {"datatype": "UINT8"}]}, "datatype is not 'BYTES'"),
    "no shape": ({"inputs": [{**IMAGE, "shape": None}]}, "shape is missing"),
    "a negative shape": ({"inputs": [IMAGE | {"shape": [-1]}]}, "shape is neither [n] nor"),
    "a shape of text": ({"inputs": [IMAGE | {"shape": ["1"]}]}, "shape is neither [n] nor"),
    "true": ({"inputs": [IMAGE | {"shape": [True]}]}, "shape is neither [n] nor"),
    "two columns": ({"inputs": [IMAGE | {"shape": [1, 2]}]}, "shape is neither [n] nor"),
    "three dimensions": ({"inputs": [IMAGE | {"shape": [1, 1, 1]}]}, "shape is neither [n]"),
    "no image": ({"inputs": [IMAGE | {"shape": [0], "data": []}]}, "carries no image"),
    "a shape of more": ({"inputs": [IMAGE | {"shape": [2]}]}, "has 1 elements, and its shape"),
    "too many": ({"inputs": [IMAGE | {"shape": [MOST_IMAGES + 1]}]}, "At most 8 images"),
    "a huge shape": ({"inputs": [IMAGE | {"shape": [10**18]}]}, "At most 8 images"),
    "no data": ({"inputs": [{k: v for k, v in IMAGE.items() if k != "data"}]}, "data is missing"),
    "numbers": ({"inputs": [IMAGE | {"data": [7]}]}, "data[0] is no string"),
    "nested twice": ({"inputs": [IMAGE | {"data": [[["a"]]]}]}, "data[0] is no string"),
    "no base64": ({"inputs": [IMAGE | {"data": ["%%%"]}]}, "data[0] is no base64"),
    "no picture": ({"inputs": [IMAGE | {"data": ["aGVsbG8="]}]}, "inputs[0].data[0]"),
    "text": (
        {"inputs": [IMAGE | {"parameters": {"content_type": "str"}}]},
        "content_type is not 'base64'",
    ),
    "shared memory": (
        {"inputs": [IMAGE | {"parameters": {"shared_memory_region": "x"}}]},
        "shared_memory_region is not supported",
    ),
    "parameters that are none": ({"inputs": [IMAGE], "parameters": 3}, "parameters is no object"),
    "an id that is none": ({"inputs": [IMAGE], "id": 3}, "id is no string"),
    "bytes that are not there": (
        {"inputs": [IMAGE | {"parameters": {"binary_data_size": 5}}]},
        "is not the number of bytes that follow the JSON, which are 0",
    ),
    "no output": ({"inputs": [IMAGE], "outputs": [{}]}, "outputs[0].name is no string"),
    "another output": ({"inputs": [IMAGE], "outputs": [{"name": "x"}]}, "none of label, prob"),
    "labels of one": ({"inputs": [IMAGE], "outputs": [{"name": "labels"}]}, "none of label"),
    "an output twice": (
        {"inputs": [IMAGE], "outputs": [{"name": "label"}, {"name": "label"}]},
        "for the second time",
    ),
    "classes of truth": (
        {"inputs": [IMAGE], "outputs": [{"name": "known", "parameters": {"classification": 1}}]},
        "is for the outputs label, probability alone",
    ),
    "minus one class": (
        {"inputs": [IMAGE], "outputs": [{"name": "label", "parameters": {"classification": -1}}]},
        "is no whole number from 1 to 1000",
    ),
    "a time that is none": (
        {"inputs": [IMAGE], "parameters": {"timeout": "soon"}},
        "timeout is no whole number of microseconds",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_malformed_is_told_so_that_it_can_be_mended(
    insects: Classifier, oip_http: httpx.Client, case: str
) -> None:
    document, told = WRONG[case]
    answer = infer(oip_http, **document)
    assert 400 <= answer.status_code < 500, answer.text
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    ("length", "told"),
    [
        ("-1", "is no number of bytes"),
        ("1e3", "is no number of bytes"),
        ("²", "is no number of bytes"),
        ("9" * 5000, "is no number of bytes"),
        ("999999", "is 999999, and the body has"),
        ("20", "no JSON"),
    ],
)
def test_a_header_that_lies_is_told(
    insects: Classifier, oip_http: httpx.Client, length: str, told: str
) -> None:
    body = InferenceServerClient.generate_request_body([tensor(picture(1))])[0]
    answer = oip_http.post(
        "/v2/models/insects/infer",
        content=body,
        headers={b"inference-header-content-length": length.encode("latin-1")},
    )
    assert 400 <= answer.status_code < 500
    assert told in answer.json()["error"]


def test_bytes_that_are_cut_short_are_told(insects: Classifier, oip_http: httpx.Client) -> None:
    body, length = InferenceServerClient.generate_request_body([tensor(picture(1), picture(2))])
    for cut in (body[:-1], body + b"x"):
        answer = oip_http.post(
            "/v2/models/insects/infer",
            content=cut,
            headers={"inference-header-content-length": str(length)},
        )
        assert answer.status_code == 422
        assert "is not the number of bytes that follow" in answer.json()["error"]


def test_limits_are_those_of_the_service(
    triton: InferenceServerClient, insects: Classifier
) -> None:
    large = encoded(noise(1, (120, 120)), "BMP")
    with pytest.raises(InferenceServerException, match="at most 20000 are accepted"):
        triton.infer("insects", [tensor(large)])
    with pytest.raises(InferenceServerException, match="At most 8 images"):
        triton.infer("insects", [tensor(*[picture(1)] * (MOST_IMAGES + 1))])
    with pytest.raises(InferenceServerException, match="HANDFUL_MAX_REQUEST_BYTES"):
        triton.infer("insects", [tensor(*[large] * 5)])
    broken = picture(1)[:-100]
    with pytest.raises(InferenceServerException, match=r"inputs\[0\].data\[1\]"):
        triton.infer("insects", [tensor(picture(2), broken)])


def test_a_request_may_say_how_long_it_waits(
    triton: InferenceServerClient, insects: Classifier
) -> None:
    with pytest.raises(InferenceServerException, match="There was no answer within 1e-06 s"):
        triton.infer("insects", [tensor(*[picture(i) for i in range(8)])], timeout=1)


def test_paths_of_other_servers_are_not_there(triton: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="There is nothing at"):
        triton.get_inference_statistics("insects")


def test_corrections_of_a_classifier_are_seen_at_once(
    triton: InferenceServerClient, oip_http: httpx.Client
) -> None:
    made = of_four(oip_http, "learning")
    made.post("wasp", picture(5), picture(6)).raise_for_status()
    assert triton.infer("learning", [tensor(picture(5))]).as_numpy("label").tolist() == [b"wasp"]


def test_options_of_an_index_are_small(oip_http: httpx.Client) -> None:
    answer = oip_http.post("/v2/repository/index", json={"ready": True, "x": "a" * 70_000})
    assert answer.status_code == 413
    assert "at most 65536 bytes" in answer.json()["error"]
