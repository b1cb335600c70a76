"""Keys, tenants and quotas of inference by other systems' protocols: as of the API itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from typing import Any

import grpc
import httpx2 as httpx
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from tritonclient.utils import InferenceServerException

from tests.service.client import of_four
from tests.service.integrations.open_inference.conftest import free_port
from tests.service.pictures import picture
from tests.service.server import Server, run_handful

UNKNOWN_TOKEN = "hf_" + "y" * 34


@dataclass(frozen=True)
class Keyed:
    """A service with keys, that of its operator, and clients of each protocol by a key."""

    server: Server
    operator: str
    grpc_port: int

    def http(self, key: str) -> httpx.Client:
        client = self.server.client()
        client.headers["authorization"] = f"Bearer {key}"
        return client

    def key(self, **terms: object) -> str:
        with self.http(self.operator) as http:
            answer = http.post("/v1/keys", json=terms)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["key"])


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Keyed]:
    data_dir = tmp_path_factory.mktemp("keyed")
    scopes = ("--scopes", "admin,read,predict,write")
    made = run_handful("keys", "create", *scopes, "--data-dir", str(data_dir))
    assert made.returncode == 0, made.stderr
    operator, port = made.stdout.strip(), free_port()
    settings = {"integrations": "open-inference,hugging-face", "grpc_port": port}
    with Server.ready(data_dir, backbone=vit, auth="keys", access_log=True, **settings) as running:
        there = Keyed(running, operator, port)
        with there.http(operator) as http:
            http.get("/v2/health/ready").raise_for_status()  # the port of gRPC is open, too
            of_four(http, "insects")
            of_four(http, "others")
        yield there
        running.stop()
        log = running.log.read_text()
        assert "Traceback" not in log
        assert operator not in log
        assert UNKNOWN_TOKEN not in log


class OverHttp:
    """Triton's client of the protocol over HTTP, with a key."""

    def __init__(self, keyed: Keyed, key: str | None) -> None:
        url = keyed.server.url.removeprefix("http://")
        self.client = tritonclient.http.InferenceServerClient(url)
        self.module = tritonclient.http
        self.headers = {} if key is None else {"authorization": f"Bearer {key}"}


class OverGrpc:
    """The same over gRPC, by the other header field."""

    def __init__(self, keyed: Keyed, key: str | None) -> None:
        self.client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{keyed.grpc_port}")
        self.module = tritonclient.grpc
        self.headers = {} if key is None else {"x-api-key": key}


KINDS = pytest.mark.parametrize("kind", [OverHttp, OverGrpc])


def infer(asking: Any, name: str, images: int = 1) -> Any:
    tensor = asking.module.InferInput("image", [images], "BYTES")
    tensor.set_data_from_numpy(np.array([picture(i + 1) for i in range(images)], dtype=object))
    return asking.client.infer(name, [tensor], headers=asking.headers)


@KINDS
def test_strangers_learn_that_it_lives_and_nothing_else(keyed: Keyed, kind: type[Any]) -> None:
    for key in (None, UNKNOWN_TOKEN):
        stranger = kind(keyed, key)
        assert stranger.client.is_server_live(headers=stranger.headers)
        assert stranger.client.is_server_ready(headers=stranger.headers)
        assert stranger.client.get_server_metadata(headers=stranger.headers)
        for ask in (
            lambda one=stranger: infer(one, "insects"),
            lambda one=stranger: infer(one, "nobody"),
            lambda one=stranger: one.client.get_model_metadata("insects", headers=one.headers),
            lambda one=stranger: one.client.get_model_repository_index(headers=one.headers),
        ):
            with pytest.raises(InferenceServerException, match="key") as caught:
                ask()
            assert caught.value.status() in ("401", "StatusCode.UNAUTHENTICATED")


@KINDS
def test_scopes_and_classifiers_of_a_key_bound_it(keyed: Keyed, kind: type[Any]) -> None:
    own = kind(keyed, keyed.key(scopes=["read", "predict"], classifiers=["insects"]))
    assert infer(own, "insects").as_numpy("label").tolist() == [b"ant"]
    index = own.client.get_model_repository_index(headers=own.headers)
    names = [one["name"] if isinstance(one, dict) else one.name for one in _models(index)]
    assert names == ["insects"]
    reader = kind(keyed, keyed.key(scopes=["read"]))
    assert reader.client.get_model_metadata("others", headers=reader.headers)
    asker = kind(keyed, keyed.key(scopes=["predict"]))
    assert infer(asker, "others")
    for ask in (
        lambda: infer(own, "others"),
        lambda: own.client.get_model_metadata("others", headers=own.headers),
        lambda: infer(reader, "others"),
        lambda: asker.client.get_model_metadata("others", headers=asker.headers),
    ):
        with pytest.raises(InferenceServerException) as caught:
            ask()
        assert caught.value.status() in ("403", "StatusCode.PERMISSION_DENIED")


def test_a_key_without_the_scope_is_refused_before_its_message_comes(keyed: Keyed) -> None:
    ended = Event()

    def nothing() -> Iterator[bytes]:
        ended.wait(30)
        yield b""

    with grpc.insecure_channel(f"127.0.0.1:{keyed.grpc_port}") as channel:
        infer = channel.stream_unary("/inference.GRPCInferenceService/ModelInfer")
        key = ("x-api-key", keyed.key(scopes=["read"]))
        with pytest.raises(grpc.RpcError) as caught:
            infer(nothing(), metadata=[key], timeout=10)
        ended.set()
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert "needs the scope predict" in caught.value.details()


@KINDS
def test_tenants_know_nothing_of_each_other(keyed: Keyed, kind: type[Any]) -> None:
    stranger = kind(keyed, keyed.key(scopes=["read", "predict"], tenant=f"t{kind.__name__}"))
    assert not _models(stranger.client.get_model_repository_index(headers=stranger.headers))
    with pytest.raises(InferenceServerException, match="There is no classifier 'insects'"):
        infer(stranger, "insects")


@KINDS
def test_images_count_for_the_quota_of_a_key(keyed: Keyed, kind: type[Any]) -> None:
    limited = kind(keyed, keyed.key(scopes=["predict"], images_per_second=2))
    assert infer(limited, "insects", images=2)
    with pytest.raises(InferenceServerException, match="more than the 2 images a second") as caught:
        infer(limited, "insects", images=2)
    assert caught.value.status() in ("429", "StatusCode.RESOURCE_EXHAUSTED")


@KINDS
def test_requests_count_for_the_quota_of_a_key(keyed: Keyed, kind: type[Any]) -> None:
    limited = kind(keyed, keyed.key(scopes=["predict"], requests_per_second=0.01))
    assert infer(limited, "insects")
    with pytest.raises(InferenceServerException, match="requests a second"):
        infer(limited, "insects")


@KINDS
def test_refusals_are_in_the_audit_log(keyed: Keyed, kind: type[Any]) -> None:
    key = keyed.key(scopes=["read"], classifiers=["others"])
    with pytest.raises(InferenceServerException):
        infer(kind(keyed, key), "insects")
    with keyed.http(keyed.operator) as http:
        end = time.monotonic() + 30  # refusals are written down some at a time
        found: list[object] = []
        while not found and time.monotonic() < end:
            entries = http.get("/v1/audit", params={"action": "refused"}).json()["entries"]
            found = [one for one in entries if "/v2/models/insects/infer" in str(one)]
            time.sleep(0.05)
    assert found


def test_the_hub_token_of_a_client_is_where_the_key_goes(keyed: Keyed) -> None:
    url = f"{keyed.server.url}/hugging-face"
    key = keyed.key(scopes=["predict"], classifiers=["insects"])
    assert InferenceClient(f"{url}/insects", token=key).image_classification(picture(1))
    anything = InferenceClient(url, token=key)
    assert anything.zero_shot_image_classification(picture(1), ["ant", "bee"])
    refused = {
        "401": InferenceClient(f"{url}/insects", token=UNKNOWN_TOKEN),
        "403": InferenceClient(f"{url}/others", token=key),
    }
    for status, client in refused.items():
        with pytest.raises(HfHubHTTPError, match=status) as caught:
            client.image_classification(picture(1))
        assert UNKNOWN_TOKEN not in str(caught.value)
    reader = InferenceClient(url, token=keyed.key(scopes=["read"]))
    with pytest.raises(HfHubHTTPError, match="needs the scope predict"):
        reader.zero_shot_image_classification(picture(1), ["ant", "bee"])
    few = InferenceClient(url, token=keyed.key(scopes=["predict"], images_per_second=2))
    with pytest.raises(HfHubHTTPError, match="images a second"):
        few.zero_shot_image_classification(picture(1), ["ant", "bee", "wasp"])


def _models(index: Any) -> list[Any]:
    return list(index if isinstance(index, list) else index.models)
