"""Thousands of class names at once, on a real service: nobody else waits, and once is enough."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.service.pictures import picture
from tests.service.server import Server

A, LARGE = "/v1/classifiers/a", "/v1/classifiers/large"
NAMES = [f"thing {i}" + " that is painted" * (i % 5) for i in range(2000)]


def embedded(http: httpx.Client) -> int:
    """Prompts that the service has embedded since it started."""
    found = re.search(r"^handful_text_batch_size_sum (\S+)$", http.get("/metrics").text, re.M)
    assert found
    return int(float(found[1]))


def declare(http: httpx.Client, path: str, names: list[str]) -> None:
    answer = http.put(path, json={"classes": names})
    assert answer.status_code == 201, answer.text


def labels(http: httpx.Client, path: str) -> list[str]:
    return [one["label"] for one in http.get(f"{path}/classes").json()["classes"]]


def answered(http: httpx.Client, path: str, query: bytes) -> dict[str, object]:
    [prediction] = http.post(f"{path}/predict", content=query).json()["predictions"]
    return {one["label"]: pytest.approx(one["probability"]) for one in prediction["top_k"]}


@pytest.mark.long
def test_thousands_of_names_hold_up_nobody_and_are_embedded_once(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
        declare(http, A, ["ant", "bee"])
        before = embedded(http)
        with ThreadPoolExecutor(1) as threads:
            declaring = threads.submit(declare, http, LARGE, NAMES)
            meanwhile = 0
            while not declaring.done():
                answer = http.post(f"{A}/predict", content=picture(1))
                assert answer.status_code == 200
                assert http.put(f"{A}/classes/fly {meanwhile}").status_code == 201
                meanwhile += 1
            declaring.result()
        assert meanwhile > 1
        assert labels(http, LARGE) == NAMES
        assert embedded(http) == before + len(NAMES) + meanwhile
        query = picture(2)
        told = answered(http, LARGE, query)
        assert http.delete(LARGE).status_code == 204
        declare(http, LARGE, NAMES[::-1])
        assert embedded(http) == before + len(NAMES) + meanwhile
        assert server.stop() == 0
    with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
        declare(http, "/v1/classifiers/again", NAMES)
        assert embedded(http) == 0
        for path in ("/v1/classifiers/again", LARGE):
            assert answered(http, path, query) == told
        server.stop()
