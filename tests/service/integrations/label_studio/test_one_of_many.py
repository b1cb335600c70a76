"""One classifier of many: what is wrong with it, and its name, concern no other one."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.service.client import Classifier
from tests.service.integrations.label_studio.conftest import Backend
from tests.service.integrations.label_studio.stand_in import LEGACY, label_studio
from tests.service.pictures import picture
from tests.service.server import Server

Make = Callable[..., Backend]


def test_a_damaged_classifier_waits_and_all_others_learn(tmp_path: Path, vit: str) -> None:
    with label_studio() as there:
        settings = {
            "backbone": vit,
            "integrations": "label-studio",
            "label_studio_url": there.url,
            "label_studio_token": LEGACY,
        }
        with Server.ready(tmp_path, **settings) as server, server.client() as http:
            bad, well = Backend(http, there, server, "bad"), Backend(http, there, server, "well")
            for one in (bad, well):
                assert one.classifier.put(names_carry_meaning=False).status_code == 201
            webhooks = [there.annotate(there.task(picture(i)), "ant") for i in range(2)]
            left, waits = (webhook["annotation"]["id"] for webhook in webhooks)
            bad.tell(*webhooks)
            well.tell(there.annotate(there.task(picture(3)), "ant"))
            assert (bad.counts(), well.counts()) == ({"ant": 2}, {"ant": 1})
            server.stop()
        with closing(sqlite3.connect(tmp_path / "handful.db")) as database, database:
            name = ("bad",)
            database.execute("UPDATE classifiers SET tuning = '[]' WHERE name = ?", name)
            mine = "classifier_id = (SELECT id FROM classifiers WHERE name = ?)"
            # One was ended before it removed an image, and had still to learn of another.
            database.execute(
                f"DELETE FROM label_studio_held WHERE {mine} AND annotation = {left}", name
            )
            database.execute(
                "UPDATE label_studio_annotations SET due_at = '2026-01-01 00:00:00'"
                f" WHERE {mine} AND annotation = {waits}",
                name,
            )
        with Server.ready(tmp_path, **settings) as server, server.client() as http:
            well = Backend(http, there, server, "well")
            well.tell(there.annotate(there.task(picture(4)), "bee"))
            assert well.counts() == {"ant": 1, "bee": 1}
            server.stop()
            assert "Traceback" not in server.log.read_text()
        with closing(sqlite3.connect(tmp_path / "handful.db")) as database:
            held = f"SELECT count(*) FROM label_studio_held WHERE {mine} AND annotation = {waits}"
            assert database.execute(held, name).fetchall() == [(1,)]
            told = f"SELECT problem FROM label_studio_annotations WHERE {mine} AND due_at NOTNULL"
            [(problem,)] = database.execute(told, name).fetchall()
            assert "cannot be read" in problem


def test_who_gets_the_name_meanwhile_learns_nothing(learning: Make) -> None:
    one = learning(names_carry_meaning=False)
    there, name, new = one.there, one.name, f"{one.name}-new"
    asked, go_on, answer = threading.Event(), threading.Event(), there.answer

    def slow(method: str, target: str, authorization: str | None) -> tuple[int, Any]:
        if "slow" in target:
            asked.set()
            go_on.wait(10)
        return answer(method, target, authorization)

    webhook = there.annotate(there.task(picture(1), "slow.png"), "ant")
    there.answer = slow  # type: ignore[method-assign]
    try:
        one.tell(webhook)
        assert asked.wait(10)
        assert one.http.post(f"{one.classifier.url}/rename", json={"to": new}).is_success
        assert Classifier(one.http, name).put(names_carry_meaning=False).status_code == 201
    finally:
        go_on.set()
        there.answer = answer  # type: ignore[method-assign]
    one.name = new
    assert one.counts() == {"ant": 1}
    assert Classifier(one.http, name).counts() == {}
    assert Classifier(one.http, name).post("ant", picture(1)).status_code == 201
    one.tell(there.delete(webhook))
    assert one.counts() == {}
    time.sleep(0.2)
    assert Classifier(one.http, name).counts() == {"ant": 1}
