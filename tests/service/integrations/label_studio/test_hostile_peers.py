"""A hostile Label Studio, and hostile tasks: nobody else is harmed, and nobody gets the token."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from service.fetching import FetchError
from service.fetching.guarded import GuardedFetcher
from service.fetching.sources import Source
from service.integrations.label_studio.images import LabelStudio
from service.integrations.label_studio.places import Content, Elsewhere, Inside, file_name, place_of
from service.settings import Settings
from tests.service.fetching.hostile import Answer, answering, sending, whole
from tests.service.integrations.label_studio.conftest import Backend
from tests.service.integrations.label_studio.stand_in import LEGACY, jwt, label_studio
from tests.service.pictures import picture

Make = Callable[..., Backend]
AT = "http://studio.example.com/ls"
UPLOAD = "/data/upload/1/a.png"


@pytest.mark.parametrize(
    ("address", "place", "name"),
    [
        ("/data/upload/1/a%20b.png", Inside(f"{AT}/data/upload/1/a%20b.png"), "a b.png"),
        ("/ls/data/upload/1/a.png", Inside(f"{AT}/data/upload/1/a.png"), "a.png"),
        (f"{AT}/data/upload/1/a.png", Inside(f"{AT}/data/upload/1/a.png"), "a.png"),
        (
            "/storage-data/uploaded/?filepath=upload%2F1%2Fa.png",
            Inside(f"{AT}/storage-data/uploaded/?filepath=upload%2F1%2Fa.png"),
            "a.png",
        ),
        ("/data/local-files/?d=b/a.png", Inside(f"{AT}/data/local-files/?d=b/a.png"), ""),
        ("s3://b/k.png", Inside(f"{AT}/tasks/3/resolve/?fileuri=czM6Ly9iL2sucG5n"), "k.png"),
        ("/tasks/3/resolve/?fileuri=a", Inside(f"{AT}/tasks/3/resolve/?fileuri=a"), ""),
        ("data:image/png;base64,aGF sbG8=", Content(b"hallo"), ""),
        ("data:image/png;a=b,hal%6co", Content(b"hallo"), ""),
        (
            "http://studio.example.com:81/a.png",
            Elsewhere("http://studio.example.com:81/a.png"),
            "a.png",
        ),
        (
            "https://other.example.com/a.png?b",
            Elsewhere("https://other.example.com/a.png?b"),
            "a.png",
        ),
    ],
)
def test_addresses_of_images(address: str, place: object, name: str) -> None:
    assert place_of(address, 3, AT) == place
    assert file_name(address) == name


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a.png",
        "/api/users/",
        "/api/token/",
        "/data/upload/",
        "/data/upload/../../api/users/",
        "/data/upload/%2e%2e/api/users/",
        "/data/upload/1/..\\a",
        "//other.example.com/data/upload/1/a.png",
        f"{AT}/api/users/",
        "file:///etc/passwd",
        "ftp://studio.example.com/a.png",
        "http://[::1",
        "http://",
        "javascript:alert(1)",
        "data:image/png;base64,a",
        "data:image/png",
        "/" * 10_000,
        "data:" + ";a" * 50_000,
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(FetchError) as refused:
        place_of(address, 3, AT)
    assert refused.value.status == 422
    assert time.perf_counter() - begun < 1
    assert len(str(refused.value)) < 300


def test_a_file_of_an_unknown_label_studio_names_the_setting() -> None:
    with pytest.raises(FetchError, match="HANDFUL_LABEL_STUDIO_URL"):
        place_of(UPLOAD, 3, "")
    with pytest.raises(FetchError, match="task is not known"):
        place_of("gs://b/k.png", None, AT)


async def _public(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def image(
    url: str, address: str = UPLOAD, token: str = LEGACY, elsewhere: str = "", **given: Any
) -> bytes:
    """Ask as the service does; another host may be this machine, too."""
    settings = Settings(
        label_studio_url=url,
        label_studio_token=token,
        fetch_seconds=1,
        max_image_bytes=5000,
        **given,
    )

    async def ask() -> bytes:
        others = None
        if elsewhere:
            source = Source.read(elsewhere)
            others = GuardedFetcher([source], 5000, resolve=_public, may_connect=bool)
        return await LabelStudio(settings, others).image(address, 3, lambda _: None)

    return asyncio.run(ask())


def test_the_token_goes_to_label_studio_alone() -> None:
    with (
        answering(whole(b"stored")) as other,
        label_studio(files={UPLOAD: b"an image"}) as there,
    ):
        assert image(there.url) == b"an image"
        assert there.accepts == ["*/*"]  # Label Studio answers image/* with 406
        assert image(there.url + "/", f"{there.url}{UPLOAD}") == b"an image"
        source = f"http://images.example.com:{other.port}"
        assert image(there.url, f"{source}/a.png", elsewhere=source) == b"stored"
        # To where a storage is, without the token; and nowhere that is not allowed.
        there.redirects["/tasks/3/resolve/"] = f"{source}/a.png?signature=x"
        assert image(there.url, "s3://b/k.png", elsewhere=source) == b"stored"
        with pytest.raises(FetchError, match="HANDFUL_FETCH_FROM"):
            image(there.url, "s3://b/k.png")
        with pytest.raises(FetchError, match="HANDFUL_FETCH_FROM"):
            image(there.url, "s3://b/k.png", elsewhere="http://images.example.com:1")
        there.redirects["/tasks/3/resolve/"] = "/user/login/?next=/"
        with pytest.raises(FetchError, match="HANDFUL_LABEL_STUDIO_TOKEN"):
            image(there.url, "s3://b/k.png", elsewhere=source)
        assert len(other.heads) == 2
        assert all(b"authorization" not in head.lower() for head in other.heads)
        for wrong in ("", "0" * 40, "a.b.c"):
            with pytest.raises(FetchError, match="HANDFUL_LABEL_STUDIO_TOKEN"):
                image(there.url, token=wrong)


def test_a_personal_token_buys_access_which_is_asked_for_anew() -> None:
    with label_studio(files={UPLOAD: b"an image"}) as there:
        there.credentials.clear()
        token = jwt(token_type="refresh", exp=9_999_999_999)
        settings = Settings(label_studio_url=there.url, label_studio_token=token)

        async def ask() -> None:
            studio = LabelStudio(settings, None)
            every = [studio.image(UPLOAD, 3, lambda _: None) for _ in range(5)]
            assert set(await asyncio.gather(*every)) == {b"an image"}
            assert there.refreshes == 1
            there.credentials.clear()  # revoked
            assert await studio.image(UPLOAD, 3, lambda _: None) == b"an image"
            assert there.refreshes == 2

        asyncio.run(ask())
        assert token not in str(there.asked)


ANSWERS: dict[str, tuple[Answer, str]] = {
    "huge": (sending(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1000] * 6), "HANDFUL_MAX_IMAGE_BYTES"),
    "declared huge": (
        sending(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
        "MAX_IMAGE_BYTES",
    ),
    "endless head": (sending(*[b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n" * 1000] * 100]), "breaks"),
    "no HTTP": (sending(b"SSH-2.0\r\n\r\n"), "breaks"),
    "broken off": (sending(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"), "breaks"),
    "an error": (whole(b"", "500 Oh"), "status 500"),
    "not there": (whole(b"", "404 No"), "HANDFUL_LABEL_STUDIO_URL"),
    "coded": (whole(b"x", "200 OK", "Content-Encoding: gzip"), "coded"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_it_answers_costs_no_more_than_is_allowed(kind: str) -> None:
    answer, told = ANSWERS[kind]
    with answering(answer) as there, pytest.raises(FetchError, match=told):
        image(f"http://127.0.0.1:{there.port}")


def test_one_that_never_answers_or_is_not_there_is_given_up() -> None:
    def drips(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"A")
            time.sleep(0.05)

    for answer in (lambda _: time.sleep(3), drips):
        begun = time.perf_counter()
        with answering(answer) as there, pytest.raises(FetchError, match="within 1 s"):
            image(f"http://127.0.0.1:{there.port}")
        assert time.perf_counter() - begun < 2.5
    with pytest.raises(FetchError, match="HANDFUL_LABEL_STUDIO_URL"):
        image("http://127.0.0.1:9")


@pytest.mark.parametrize(
    "answer",
    [b"[]", b"{}", b"null", b'{"access": 1}', b'{"access": "a.b"}', b"[" * 4000, b"<html>"],
)
def test_access_that_is_none_is_told(answer: bytes) -> None:
    with (
        answering(whole(answer)) as there,
        pytest.raises(FetchError, match=r"LABEL_STUDIO|no JSON"),
    ):
        image(f"http://127.0.0.1:{there.port}", token=jwt(exp=1))


def test_a_hung_label_studio_holds_up_nobody_else(learning: Make) -> None:
    one, other = learning(names_carry_meaning=False), learning(names_carry_meaning=False)
    there = one.there
    assert other.classifier.post("ant", picture(1)).status_code == 201
    assert one.classifier.post("ant", picture(1)).status_code == 201
    hung = socket.create_server(("127.0.0.1", 0))  # connects, and never answers
    address = f"http://127.0.0.1:{hung.getsockname()[1]}/a.png"
    with hung, ThreadPoolExecutor(8) as pool:
        answer = there.answer

        def slow(method: str, target: str, authorization: str | None) -> tuple[int, Any]:
            if "slow" in target:
                time.sleep(2)
            return answer(method, target, authorization)

        there.answer = slow  # type: ignore[method-assign]
        try:
            tasks = [there.task(picture(i), "slow.png") for i in range(6)] + [
                there.task_at(address),
                there.task(picture(3)),
            ]
            webhooks = [there.annotate(task, "ant") for task in tasks[:4]]
            asked = [pool.submit(one.predict, *tasks) for _ in range(3)]
            one.tell(*webhooks)
            assert len(other.classifier.predictions(picture(2))) == 1
            assert not any(each.done() for each in asked)  # they are given up after a second
            for each in asked:
                assert each.result()[:7] == [[]] * 7
            while not (status := one.status())["problems"]:
                time.sleep(0.05)
            assert status["waiting"] == 4
            assert "could not be fetched within 1 s" in status["problems"][0]["problem"]
            assert "HANDFUL_LABEL_STUDIO_URL" in status["problems"][0]["problem"]
        finally:
            there.answer = answer  # type: ignore[method-assign]
        assert one.counts() == {"ant": 4}  # one of them was there


def test_pictures_in_the_tasks_themselves(learning: Make) -> None:
    one = learning(names_carry_meaning=False)
    uri = f"data:image/png;base64,{base64.b64encode(picture(5)).decode()}"
    one.tell(one.there.annotate(one.there.task_at(uri), "ant"))
    assert one.counts() == {"ant": 1}
    assert one.predict(one.there.task_at(uri))[0]["result"]
    large = one.there.task_at("data:,%" + "x" * 200_000)
    one.tell(one.there.annotate(large, "ant"))
    assert "HANDFUL_MAX_IMAGE_BYTES" in one.settled()["problems"][0]["problem"]
    assert one.predict(large) == [[]]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"label_studio_url": "studio:8080"}, "such as http://label-studio:8080"),
        ({"label_studio_url": "http://a:b@studio"}, "HANDFUL_LABEL_STUDIO_TOKEN"),
        ({"label_studio_url": "http://studio/?a"}, "such as http://label-studio:8080"),
        ({"label_studio_token": "a b"}, "no spaces"),
        ({"label_studio_token": "a\nb: c"}, "no spaces"),
    ],
)
def test_settings_that_cannot_be_used(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Settings(**given)


def test_the_token_may_be_a_file_and_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(f"{LEGACY}\n")
    monkeypatch.setenv("HANDFUL_LABEL_STUDIO_TOKEN_FILE", str(tmp_path / "token"))
    settings = Settings()
    assert settings.label_studio_token.get_secret_value() == LEGACY
    assert LEGACY not in f"{settings!r}{settings.model_dump()}{json.dumps(str(settings))}"
