"""Thumbnails of a service with keys: a tenant with many pictures does not keep others waiting."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from PIL import Image

from tests.service.api.test_keys import Keyed, made
from tests.service.client import Classifier
from tests.service.pictures import encoded
from tests.service.server import Server

# Some 50 ms of decoding each, and few bytes.
MANY, SIDE = 16, 2000


def registered(keyed: Keyed, tenant: str, shades: range) -> tuple[str, list[str]]:
    """A key of the tenant, and the addresses of the thumbnails of its pictures."""
    key = keyed.key(tenant=tenant)
    with keyed.client(key) as http:
        mine = Classifier(http, "many")
        mine.put(names_carry_meaning=False).raise_for_status()
        images = [encoded(Image.new("L", (SIDE, SIDE), i), "PNG") for i in shades]
        answer = mine.post("ant", *images).raise_for_status()
        ids = [one["id"] for one in answer.json()["images"]]
        return key, [f"{mine.url}/images/{one}/thumbnail" for one in ids]


def test_of_many_pictures_four_come_before_another_tenant(tmp_path: Path, vit: str) -> None:
    operator = made(tmp_path, "--scopes", "admin")
    with Server.ready(tmp_path, backbone=vit, auth="keys") as running:
        keyed = Keyed(running, operator)
        busy, theirs = registered(keyed, "busy", range(MANY))
        other, [mine] = registered(keyed, "other", range(1))
        with keyed.client(busy) as many, keyed.client(other) as one:
            one.get("/v1/usage").raise_for_status()
            with ThreadPoolExecutor(MANY) as threads:
                asked = [threads.submit(many.get, url) for url in theirs]
                while not any(each.done() for each in asked):
                    time.sleep(0.001)
                before = sum(each.done() for each in asked)
                assert one.get(mine).status_code == 200
                after = sum(each.done() for each in asked)
                wait(asked)
        assert {each.result().status_code for each in asked} == {200}
        assert after - before < MANY / 2
        running.stop()
        assert "Traceback" not in running.log.read_text()
