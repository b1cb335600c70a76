"""The client at a service that asks for keys, and the keys of its administrators."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from handful_client import Client, Forbidden, NotFound, TooManyRequests, Unauthorized
from handful_client._sync import administration
from handful_client.models import KeyIn

from tests.client.coloured import coloured
from tests.service.server import Server, run_handful


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Iterator[tuple[str, str]]:
    """The URL of a service that asks for keys, and the one of its administrator."""
    folder: Path = tmp_path_factory.mktemp("locked")
    scopes = "admin,read,predict,write"
    made = run_handful("keys", "create", "--scopes", scopes, "--data-dir", str(folder))
    assert made.returncode == 0, made.stderr
    with Server.ready(folder, backbone=backbone, auth="keys") as running:
        yield running.url, made.stdout.strip().splitlines()[-1]
        running.stop()


def test_a_key_opens_what_it_is_for(locked: tuple[str, str]) -> None:
    url, key = locked
    with Client(url) as stranger:
        assert stranger.ready().status == "ready"
        with pytest.raises(Unauthorized) as refused:
            list(stranger.classifiers())
        assert refused.value.type == "key-required"
    with Client(url, key=key) as operator:
        colours = operator.classifier("colours")
        colours.add("red", coloured("red", 0)).add("blue", coloured("blue", 0))
        made = operator.make_key(KeyIn(name="camera", scopes=["predict"], classifiers=["colours"]))
        assert [one.name for one in operator.list_keys() if one.id == made.id] == ["camera"]
        with Client(url, key=made.key) as camera:
            assert camera.classifier("colours").predict(coloured("red", 5)).label == "red"
            with pytest.raises(Forbidden):
                camera.classifier("colours").add("red", coloured("red", 1))
            with pytest.raises(Forbidden):
                camera.list_keys()
        again = operator.rotate_key(made.id, grace_seconds=0)
        for text, valid in ((made.key, False), (again.key, True)):
            with Client(url, key=text) as camera:
                if valid:
                    assert camera.classifier("colours").predict(coloured("red", 6)).label == "red"
                else:
                    with pytest.raises(Unauthorized):
                        camera.classifier("colours").predict(coloured("red", 6))
        operator.revoke_key(again.id)
        with pytest.raises(NotFound):
            operator.revoke_key("0" * 16)


def test_keys_are_listed_however_many_pages_they_are(
    locked: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, key = locked
    with Client(url, key=key) as operator:
        for name in ("a", "b"):
            operator.make_key(KeyIn(name=name, scopes=["read"]))
        of_one_page = operator.list_keys()
        monkeypatch.setattr(administration, "_PAGE", 1)
        assert [one.id for one in operator.list_keys()] == [one.id for one in of_one_page]
        assert len(of_one_page) >= 3


def test_limits_are_told_and_waited_for(locked: tuple[str, str]) -> None:
    url, key = locked
    with Client(url, key=key) as operator:
        limited = operator.make_key(KeyIn(requests_per_second=20))
        few = operator.classifier("few").add("red", coloured("red", 0))
        few.add("blue", coloured("blue", 0))
        assert operator.usage().classifiers.used >= 1
        done = [one.action for one in operator.audit(classifier="few")]
        assert done == ["classifier.changed"] * 2 + ["classifier.created"]
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        assert [*operator.audit(since=tomorrow)] == []
    with Client(url, key=limited.key) as client:
        answers = client.classifier("few").predict_many([coloured("red", 3)] * 30, batch=1)
        assert [one.label for one in answers] == ["red"] * 30
    with Client(url, key=limited.key, patience=0) as client:
        answers = client.classifier("few").predict_many([coloured("red", 3)] * 60, batch=1)
        with pytest.raises(TooManyRequests) as refused:
            list(answers)
        assert refused.value.retry_after is not None


def test_commands_give_the_key_by_the_environment(locked: tuple[str, str]) -> None:
    url, key = locked
    assert run_handful("classifiers", "--json", url=url, key=key).returncode == 0
    refused = run_handful("classifiers", "--json", "--url", url)
    assert refused.returncode == 1
    assert "key-required" in refused.stderr
