"""Every tool by the SDK's own client, over standard input and output and over HTTP."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
from mcp_types import ImageContent
from PIL import Image

from tests.service.integrations.mcp.conftest import WAYS, Agent, Service
from tests.service.pictures import picture

pytestmark = pytest.mark.anyio

READING = {
    "list_classifiers",
    "describe_classifier",
    "classify",
    "explain",
    "suggest",
    "report",
    "history",
}


def sent(path: Path) -> dict[str, str]:
    return {"data": base64.b64encode(path.read_bytes()).decode()}


async def taught(agent: Agent, classifier: str, pictures: Path) -> None:
    """Both classes but for their last pictures."""
    for label in ("ant", "bee"):
        images = [sent(pictures / label / f"{k}.png") for k in range(3)]
        told = await agent.call("add_examples", classifier=classifier, label=label, images=images)
        assert (told["created"], told["duplicates"]) == (3, 0)
        assert [one["image"] for one in told["images"]] == [f"images[{k}]" for k in range(3)]


@pytest.mark.parametrize("way", WAYS)
async def test_the_walk_of_an_agent(service: Service, way: str) -> None:
    name = f"walk-{list(WAYS).index(way)}"
    pictures = service.pictures
    async with WAYS[way](service) as agent:
        tools = (await agent.client.list_tools()).tools
        hints = {one.name: one.annotations for one in tools}
        assert {name for name, hint in hints.items() if hint and hint.read_only_hint} == READING
        assert hints["add_examples"]
        assert hints["add_examples"].destructive_hint is False
        assert hints["undo"]
        assert hints["undo"].destructive_hint is True
        assert all(one.output_schema and one.description for one in tools)
        assert "path" not in str([one.input_schema for one in tools])
        assert "add_examples" in str(agent.client.instructions)

        await taught(agent, name, pictures)
        listed = await agent.call("list_classifiers", prefix=name)
        [one] = listed["classifiers"]
        assert (one["name"], one["n_classes"], one["n_images"]) == (name, 2, 6)
        assert listed["more"] is False
        described = await agent.call("describe_classifier", classifier=name)
        assert described["classes"] == [
            {"label": "ant", "n_images": 3},
            {"label": "bee", "n_images": 3},
        ]

        known = [sent(pictures / "bee/0.png"), {"data": f"data:image/png;base64,{_base64(7)}"}]
        told = await agent.call("classify", classifier=name, images=known, top_k=1)
        first = told["images"][0]
        assert first["label"] == first["evidence"][0]["label"] == "bee"
        assert first["evidence"][0]["similarity"] > 0.999
        assert len(first["candidates"]) == 1
        # As the API itself answers, but for the digits that are left out.
        with service.http(service.operator) as http:
            asked = http.post(
                f"/v1/classifiers/{name}/predict",
                content=(pictures / "bee/0.png").read_bytes(),
                headers={"content-type": "image/png"},
            ).json()["predictions"][0]
        assert first["probability"] == pytest.approx(asked["probability"], abs=1e-4)
        by_id = {"image_id": first["evidence"][0]["image_id"]}
        again = await agent.call("classify", classifier=name, images=[by_id])
        assert again["images"][0]["label"] == "bee"

        result = await agent.result("explain", classifier=name, image=by_id, pictures=2)
        assert not result.is_error
        why = result.structured_content
        assert isinstance(why, dict)
        assert why["nearest"][0]["label"] == "bee"
        assert {"by_name", "by_images"} < why["reasons"][0].keys()
        shown = [one for one in result.content if isinstance(one, ImageContent)]
        assert len(shown) == why["n_pictures"] == 2
        assert all(opened(one).format == "JPEG" for one in shown)

        pool = [sent(pictures / "ant/0.png"), {"data": _base64(70)}, {"data": _base64(71)}]
        told = await agent.call("suggest", classifier=name, images=pool, n=1)
        assert told["registered_already"] == ["images[0]"]
        [suggested] = told["suggestions"]
        assert suggested["image"] in {"images[1]", "images[2]"}
        assert suggested["taken_for"] in {"ant", "bee"}

        result = await agent.result("report", classifier=name)
        assert not result.is_error
        report = result.structured_content
        assert isinstance(report, dict)
        assert (report["n_classes"], report["n_images"]) == (2, 6)
        [shown_report] = [one for one in result.content if isinstance(one, ImageContent)]
        assert opened(shown_report).format == "PNG"
        assert len(shown_report.data) < 1_000_000
        assert {one["label"] for one in report["worst_classes"]} == {"ant", "bee"}
        alone = await agent.result("report", classifier=name, picture=False)
        assert len(alone.content) == 1

        changed = await agent.call("history", classifier=name, most=1)
        assert changed["more"] is True
        assert "3 images added" in changed["changes"][0]["what"]
        undone = await agent.call("undo", classifier=name)
        assert (undone["n_classes"], undone["n_images"]) == (1, 3)
        undone = await agent.call(
            "undo", classifier=name, to_revision=changed["changes"][0]["revision"]
        )
        assert (undone["n_classes"], undone["n_images"]) == (2, 6)
        assert undone["restored_revision"] == changed["changes"][0]["revision"]


async def test_of_classifiers_with_several_labels_the_report_is_of_labels(service: Service) -> None:
    with service.http(service.operator) as http:
        assert http.put("/v1/classifiers/several", json={"multi_label": True}).status_code == 201
    async with service.over_http() as agent:
        await taught(agent, "several", service.pictures)
        told = await agent.call("report", classifier="several")
        assert (told["n_classes"], told["confusions"]) == (2, [])
        classified = await agent.call(
            "classify", classifier="several", images=[sent(service.pictures / "ant/0.png")]
        )
        assert isinstance(classified["images"][0]["labels"], list)


async def test_what_the_service_refuses_is_told_and_changes_nothing(service: Service) -> None:
    image: dict[str, object] = {"data": _base64(1)}
    async with service.over_http() as agent:
        told = await agent.refused("classify", classifier="nobody", images=[image])
        assert "There is no classifier 'nobody'" in told
        told = await agent.refused("undo", classifier="nobody")
        assert "There is no classifier 'nobody'" in told
        wrong: list[tuple[dict[str, object], str]] = [
            ({"images": [{"data": "aGVsbG8="}]}, "images[0]"),  # "hello"
            ({"images": [{"data": "no base64!"}]}, "images[0].data"),
            ({"images": [image, {"data": "aGVsbG8="}]}, "images[1]"),
            ({"images": []}, "images"),
            ({"images": [{}]}, "give an image by one of"),
            ({"images": [image | {"image_id": "0" * 32}]}, "give an image by one of"),
            ({"images": [{"url": "http://127.0.0.1/"}]}, "url"),
            ({"images": [{"path": "/etc/passwd"}]}, "No files are read here"),
            ({"images": [{"image_id": "../../x"}]}, ""),
            ({"images": [image] * 65}, "images"),
            ({"images": "all"}, "images"),
            ({"images": [image], "label": "a/b"}, "'a/b' cannot be a name"),
            ({"images": [image], "label": ""}, "label"),
            ({"images": [image], "classifier": ".."}, ""),
            ({"images": [image], "classifier": "x" * 65}, "classifier"),
        ]
        for arguments, why in wrong:
            whole: dict[str, object] = {"classifier": "wrong", "label": "a", **arguments}
            told = await agent.refused("add_examples", **whole)
            assert why.lower() in told.lower(), arguments
            assert len(told) < 4000
        listed = await agent.call("list_classifiers", prefix="wrong")
        assert [one["n_images"] for one in listed["classifiers"]] in ([], [0])


async def test_lists_are_cut_and_say_so(service: Service) -> None:
    with service.http(service.operator) as http:
        for k in range(3):
            assert http.put(f"/v1/classifiers/many-{k}", json={}).status_code == 201
    async with service.over_http() as agent:
        told = await agent.call("list_classifiers", prefix="many-", most=2)
        assert [one["name"] for one in told["classifiers"]] == ["many-0", "many-1"]
        assert told["more"] is True


def _base64(seed: int) -> str:
    return base64.b64encode(picture(seed)).decode()


def opened(shown: ImageContent) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(shown.data)))
