"""``handful re-embed``: by the service that uses the database, or by the command itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service import postgres
from tests.service.client import Classifier
from tests.service.pictures import picture
from tests.service.re_embedding.moves import begin, ended, filled, status
from tests.service.server import Server, run_handful


def knows_itself(classifier: Classifier, seed: int) -> bool:
    """Whether key and query of a support image are of one recipe."""
    [answer] = classifier.predictions(picture(seed), evidence=1)
    return bool(answer["evidence"][0]["similarity"] > 1 - 3e-6)


def test_the_command_asks_the_service_or_does_it_itself(tmp_path: Path, vit: str) -> None:
    data = {"data_dir": tmp_path, "backbone": vit}
    with Server.ready(tmp_path, backbone=vit, precision="float32") as server:
        port = server.url.rpartition(":")[2]
        with server.client() as http:
            made = filled(http, "a", 3)
            done = run_handful("re-embed", "--precision", "bfloat16", port=port, **data)
            assert done.returncode == 0, done.stderr
            assert "9 images in bfloat16" in " ".join(done.stdout.split())
            assert (status(http)["state"], status(http)["precision"]) == ("none", "bfloat16")
            assert knows_itself(made, 0)
            elsewhere = run_handful("re-embed", "--precision", "float32", port=1, **data)
            assert elsewhere.returncode == 1
            assert "in use by another handful process" in elsewhere.stderr
            assert "--url" in elsewhere.stderr
            assert status(http)["precision"] == "bfloat16"
        server.stop()
    alone = run_handful("re-embed", "--precision", "float32", **data)
    assert alone.returncode == 0, alone.stderr
    with Server.ready(tmp_path, backbone=vit) as server, server.client() as http:
        assert (status(http)["state"], status(http)["precision"]) == ("none", "float32")
        assert knows_itself(Classifier(http, "a"), 0)
        server.stop()


@pytest.mark.long
def test_two_services_on_one_database_move_together(tmp_path: Path, vit: str) -> None:
    with postgres.fresh_database() as database:
        shared = {
            "backbone": vit,
            "precision": "float32",
            "database_url": postgres.url(database),
        }
        with (
            Server.ready(tmp_path / "one", **shared) as one,
            Server.ready(tmp_path / "two", **shared) as two,
            one.client() as first,
            two.client() as second,
        ):
            made = filled(first, "a", 4)
            there = Classifier(second, "a")
            assert knows_itself(there, 0)
            begin(second, "bfloat16")
            seed = 5000
            while status(first)["state"] != "none":
                assert knows_itself(made, 0)
                assert knows_itself(there, 1)
                assert made.post("ant", picture(seed)).status_code == 201
                assert there.post("bee", picture(seed + 1)).status_code == 201
                assert knows_itself(there, seed)
                assert knows_itself(made, seed + 1)
                seed += 2
            for http in (first, second):
                last = ended(http)
                assert (last["precision"], last["error"]) == ("bfloat16", None)
                assert filled(http, f"new-{http.base_url.port}", 2).counts()
            for classifier in (made, there):
                assert all(knows_itself(classifier, i) for i in (0, 100, *range(5000, seed)))
            for server in (one, two):
                server.stop()
                assert "Traceback" not in server.log.read_text()


@pytest.mark.long
def test_several_processes_move_together(tmp_path: Path, vit: str) -> None:
    """Their encoder process has both recipes meanwhile."""
    with (
        Server.ready(tmp_path, backbone=vit, precision="float32", processes=2) as server,
        server.client() as http,
    ):
        http.headers["connection"] = "close"  # any of them answers
        made = filled(http, "a", 3)
        begin(http, "bfloat16")
        while status(http)["state"] != "none":
            assert knows_itself(made, 0)
        last = ended(http)
        assert (last["precision"], last["error"]) == ("bfloat16", None)
        for place in range(3):
            for i in range(3):
                assert knows_itself(made, 100 * place + i)
        server.stop()
        log = server.log.read_text()
        assert "Traceback" not in log
        assert log.count("into an encoder process") == 2
