"""Whose tools they are: keys, scopes, tenants, limits and audit are those of the API."""

from __future__ import annotations

import base64

import pytest

from tests.service.integrations.mcp.conftest import Service
from tests.service.pictures import picture

pytestmark = pytest.mark.anyio
CALLING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list_classifiers", "arguments": {}},
}
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


async def test_messages_and_what_tools_do_are_counted_and_written_down(service: Service) -> None:
    key = service.key(scopes=["read", "write"], requests_per_second=20)
    async with service.over_http(key) as agent:
        await agent.call("add_examples", classifier="counted", label="a", images=[IMAGE])
    with service.http(service.key(scopes=["read"], requests_per_second=1)) as http:
        listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        answers = [http.post("/mcp", json=listing) for _ in range(20)]
        assert answers[0].status_code == 200
        assert answers[-1].status_code == 429
        assert "retry-after" in answers[-1].headers
    with service.http(service.key(scopes=["read"], requests_per_second=1)) as http:
        result = http.post("/mcp", json=CALLING).json()["result"]
        assert result["isError"] is True  # its message was the one, and its request the second
        assert "429" in result["content"][0]["text"]
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
        told = http.post("/mcp", json=CALLING)
    assert told.status_code == 200, told.text
    assert "isError" not in told.json()["result"] or not told.json()["result"]["isError"]
    assert "classifiers" in told.json()["result"]["structuredContent"]
