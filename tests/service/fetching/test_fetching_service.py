"""A service that fetches: images by URL as others, and nothing left behind by those that fail."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema

from service.api.app import create_app
from service.api.direct_predictions import DirectPredictions
from service.composition import ServiceParts
from service.fetching.guarded import GuardedFetcher
from service.fetching.sources import Source
from service.settings import Settings
from tests.service.asgi import Client, in_loop
from tests.service.fetching.hostile import answering, whole
from tests.service.pictures import picture

HOST = "localhost"
PATH = "/v1/classifiers/a"


async def local(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@in_loop
async def test_images_are_fetched_asked_about_and_registered(tmp_path: Path, vit: str) -> None:
    def answer(connection: socket.socket) -> None:
        wanted = server.heads[-1].split()[1]
        if wanted == b"/slow.png":
            time.sleep(3)
        number = wanted.removeprefix(b"/").removesuffix(b".png")
        whole(picture(int(number)) if number.isdigit() else b"no image")(connection)

    with answering(answer) as server:
        source = f"http://{HOST}:{server.port}"
        settings = Settings(
            data_dir=tmp_path,
            backbone=vit,
            fetch_from=[source],
            fetch_seconds=1,
            max_image_bytes=9999,
        )
        app = create_app(settings)
        parts = app.state.parts = await asyncio.to_thread(ServiceParts.start, settings)
        assert isinstance(parts.fetcher, GuardedFetcher)
        client = Client(app)

        async def ask(where: str, *images: Any, method: str = "POST") -> Any:
            client.body = b""
            body = json.dumps({"images": images}).encode() if images else b""
            await client.send(method, where, body, {"content-type": "application/json"})
            return client.json() if client.body else None

        await ask(PATH, method="PUT")
        assert client.status == 201
        # As it is, it fetches nothing from this machine.
        refused = await ask(f"{PATH}/classes/ant/images", {"url": f"{source}/1.png"})
        assert (client.status, refused["type"]) == (422, "cannot-fetch")
        assert "images[0].url is not fetched" in refused["detail"]
        assert server.heads == []

        parts.fetcher = GuardedFetcher(
            [Source.read(source)], 9999, resolve=local, may_connect=lambda _: True
        )
        made = await ask(
            f"{PATH}/support",
            {"url": f"{source}/1.png", "label": "ant", "filename": "one.png"},
            {"url": f"{source}/2.png", "label": "bee"},
        )
        assert client.status == 201, made
        assert [one["filename"] for one in made["images"]] == ["one.png", ""]
        data = {"data": base64.b64encode(picture(1)).decode()}
        again = await ask(f"{PATH}/classes/ant/images", data)
        assert again["duplicates"] == 1
        by_url = await ask(f"{PATH}/predict", {"url": f"{source}/3.png"})
        by_data = await ask(f"{PATH}/predict", {"data": base64.b64encode(picture(3)).decode()})
        assert by_url["predictions"] == by_data["predictions"]
        found = await ask(f"{PATH}/similar", {"url": f"{source}/1.png"})
        assert found["images"][0]["similarity"] == 1.0

        client.body = b""
        openai = {"input": f"{source}/3.png", "modality": "image"}
        kind = {"content-type": "application/json"}
        await client.send("POST", "/v1/embeddings", json.dumps(openai).encode(), kind)
        assert client.status == 200

        # All that cannot be fetched is named, and nothing is registered.
        refused = await ask(
            f"{PATH}/classes/ant/images",
            {"url": f"{source}/4.png"},
            {"url": f"{source}/slow.png"},
            {"url": "https://127.0.0.1/4.png"},
        )
        assert (client.status, refused["type"]) == (422, "cannot-fetch")
        assert [one["file"] for one in refused["files"]] == ["images[1].url", "images[2].url"]
        assert "within 1 s" in refused["files"][0]["reason"]
        refused = await ask(f"{PATH}/classes/ant/images", {"url": f"{source}/page"})
        assert (client.status, refused["type"]) == (422, "not-an-image")
        assert refused["files"][0]["file"] == "images[0].url"
        refused = await ask(f"{PATH}/predict", *[{"url": f"{source}/4.png"}] * 101)
        assert (client.status, refused["type"]) == (413, "request-too-large")
        listed = await ask(f"{PATH}/classes", method="GET")
        assert [one["n_images"] for one in listed["classes"]] == [1, 1]

        # Who hangs up waits for nothing, and gives back what it held.
        client.body = b""
        body = json.dumps({"images": [{"url": f"{source}/slow.png"}]}).encode()
        asked = client.send("POST", f"{PATH}/predict", body, kind)
        await asyncio.sleep(0.3)
        client.hang_up()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(asked, 1)
        assert asked.done()
        middleware = app.middleware_stack
        assert isinstance(middleware, DirectPredictions)
        await asyncio.sleep(0.1)
        with middleware.in_flight.account({}) as others:
            assert middleware.in_flight.fits(others, settings.max_bytes_in_flight)
        await asyncio.to_thread(parts.close)


def test_the_document_has_urls_where_they_are_fetched() -> None:
    described = create_app(Settings(fetch_from=["images.example.com"])).openapi()
    schemas = described["components"]["schemas"]
    url = {"images": [{"url": "https://images.example.com/a.png"}]}
    schema = {**schemas["ImagesIn"], "components": described["components"]}
    jsonschema.validate(url, schema)
    without = create_app(Settings()).openapi()["components"]["schemas"]
    assert "ImageUrl" in schemas
    assert "ImageUrl" not in without
    assert "ImageUrl" not in json.dumps(without)
