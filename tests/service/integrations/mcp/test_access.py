"""Whose tools they are: keys, scopes, tenants, limits and audit are those of the API."""

from __future__ import annotations

import base64

import pytest

from tests.service.integrations.mcp.conftest import Service
from tests.service.pictures import picture

pytestmark = pytest.mark.anyio
IMAGE = {"data": base64.b64encode(picture(50)).decode()}


async def test_a_key_that_may_read_does_no_more(service: Service) -> None:
    async with service.over_http() as agent:
        await agent.call("add_examples", classifier="shut", label="a", images=[IMAGE])
    reading = service.key(scopes=["read"])
    async with service.over_http(reading) as agent:
        assert (await agent.call("describe_classifier", classifier="shut"))["n_images"] == 1
        told = await agent.refused("add_examples", classifier="shut", label="b", images=[IMAGE])
        assert "needs the scope write, and this key allows read" in told
        told = await agent.refused("undo", classifier="shut")
        assert "needs the scope write" in told
        told = await agent.refused("classify", classifier="shut", images=[IMAGE])
        assert "needs the scope predict" in told
        assert (await agent.call("describe_classifier", classifier="shut"))["n_classes"] == 1


async def test_another_tenant_and_a_key_for_one_classifier_see_their_own(service: Service) -> None:
    async with service.over_http() as agent:
        for name in ("ours", "also-ours"):
            await agent.call("add_examples", classifier=name, label="a", images=[IMAGE])
    stranger = service.key(tenant="strangers", scopes=["read", "predict", "write"])
    async with service.over_http(stranger) as agent:
        assert (await agent.call("list_classifiers"))["classifiers"] == []
        told = await agent.refused("classify", classifier="ours", images=[IMAGE])
        assert "There is no classifier 'ours'" in told
        await agent.call("add_examples", classifier="ours", label="theirs", images=[IMAGE])
        assert (await agent.call("describe_classifier", classifier="ours"))["classes"] == [
            {"label": "theirs", "n_images": 1}
        ]
    narrow = service.key(scopes=["read", "predict", "write"], classifiers=["ours"])
    async with service.over_stdio(narrow) as agent:
        listed = (await agent.call("list_classifiers"))["classifiers"]
        assert [one["name"] for one in listed] == ["ours"]
        told = await agent.refused("classify", classifier="also-ours", images=[IMAGE])
        assert "'also-ours' is none of them" in told


async def test_what_tools_do_is_counted_once_and_written_down(service: Service) -> None:
    key = service.key(scopes=["read", "write"], requests_per_second=5)
    async with service.over_http(key) as agent:
        await agent.call("add_examples", classifier="counted", label="a", images=[IMAGE])
        for _ in range(60):  # far more messages than requests that are left
            await agent.client.list_tools(cache_mode="bypass")
        refused = [
            one
            for one in [await agent.result("list_classifiers") for _ in range(60)]
            if one.is_error
        ]
        assert refused
        assert "429" in str(refused[0].content)
    with service.http(service.operator) as http:
        entries = http.get("/v1/audit", params={"classifier": "counted"}).json()["entries"]
    mine = {one["action"] for one in entries if one["key_id"] in key}
    assert {"classifier.created", "classifier.changed"} <= mine


def test_a_stranger_is_refused_before_anything_is_read(service: Service) -> None:
    with service.http() as http:
        answer = http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert answer.status_code == 401
        assert answer.json()["error"] == answer.json()["detail"]
        for headers in ({"authorization": "Bearer wrong"}, {"x-api-key": "wrong"}):
            assert http.post("/mcp", json={}, headers=headers).status_code == 401
        both = {"authorization": f"Bearer {service.operator}", "x-api-key": "wrong"}
        assert http.post("/mcp", json={}, headers=both).status_code == 401
    with service.http(service.key(scopes=["predict"])) as http:
        assert http.post("/mcp", json={}).status_code == 403


def test_a_key_may_come_as_x_api_key(service: Service) -> None:
    with service.http() as http:
        http.headers["x-api-key"] = service.operator
        told = http.post(
            "/mcp",
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "list_classifiers", "arguments": {}},
            },
        )
    assert told.status_code == 200, told.text
    assert "isError" not in told.json()["result"] or not told.json()["result"]["isError"]
    assert "classifiers" in told.json()["result"]["structuredContent"]
