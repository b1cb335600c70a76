"""A query has one reading: a parameter that stands there twice is refused."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from service.api.middleware.query_parameters import LISTS, repeated
from tests.service.api.openapi.test_openapi import operations
from tests.service.client import Classifier, problem
from tests.service.pictures import picture


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=&limit=", "limit=1&x=2&%6cimit=3"])
def test_a_parameter_that_stands_twice_is_refused(http: httpx.Client, query: str) -> None:
    answer = http.get(f"/v1/classifiers?{query}")
    problem(answer, 422, "request-validation-failed", "'limit' more than once")


def test_nothing_is_done_by_either_reading(http: httpx.Client) -> None:
    made = Classifier(http, "once")
    made.put(names_carry_meaning=False).raise_for_status()
    made.post("ant", picture(1)).raise_for_status()
    before = made.state()
    problem(http.post(f"{made.url}/revert?to=0&to=1"), 422, "request-validation-failed")
    asked = http.post(
        f"{made.url}/predict?top_k=1&top_k=2",
        content=picture(2),
        headers={"content-type": "image/png"},
    )
    problem(asked, 422, "request-validation-failed", "'top_k'")
    assert made.state() == before


def test_each_once_is_fine(http: httpx.Client) -> None:
    assert http.get("/v1/classifiers?limit=1&x=1&limit2=1").status_code == 200
    assert repeated(b"a=1&b=1&A=1&") is None
    assert repeated(b"a&b=&a") == "a"


def test_lists_are_those_of_the_document(http: httpx.Client) -> None:
    lists = {
        parameter["name"]
        for _, _, operation in operations(http.get("/openapi.json").json())
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and "'array'" in str(parameter["schema"])
    }
    assert lists == LISTS
