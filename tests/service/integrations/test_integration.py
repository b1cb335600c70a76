"""What the application does for any integration: access, errors, bodies, its own switch."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import ValidationError

from service.access.principal import Scope
from service.access.required_access import RequiredAccess
from service.api.app import create_app
from service.api.integration import Contract, Integration, Integrations
from service.integrations import chosen
from service.problems import InvalidRequest
from service.settings import Settings
from service.settings.integrations import INTEGRATIONS
from tests.service.asgi import Client, in_loop
from tests.service.held import until

router = APIRouter(prefix="/other")


@router.get("/health")
async def health() -> str:
    return "well"


@router.post("/{name}")
async def takes(name: str, request: Request) -> int:
    if name == "wrong":
        raise InvalidRequest("Say what is meant.")
    if name == "defect":
        raise ArithmeticError
    return len(await request.body())


def required(method: str, path: str) -> RequiredAccess | None:
    if path == "/other/health":
        return None
    return RequiredAccess(Scope.PREDICT, classifier=path.rpartition("/")[2])


def other(**more: Any) -> Integration:
    """An integration that is loaded when it is first asked."""
    return Integration(
        "other", "/other", lambda: Contract(router=router, required_access=required, **more)
    )


async def asked(app: FastAPI, method: str, path: str, body: bytes = b"") -> Client:
    client = Client(app)
    await client.send(method, path, body)
    return client


@in_loop
async def test_errors_are_told_as_the_other_system_reads_them(tmp_path: Path, vit: str) -> None:
    app = create_app(Settings(data_dir=tmp_path), integrations=[other()])
    wrong = await asked(app, "POST", "/other/wrong")
    assert wrong.status == 422
    assert wrong.json()["error"] == wrong.json()["detail"] == "Say what is meant."
    assert int(wrong.headers["content-length"]) == len(wrong.body)
    assert (await asked(app, "POST", "/other/a/b")).json()["error"].startswith("There is nothing")
    own = await asked(app, "GET", "/otherwise")
    assert own.status == 404
    assert "error" not in own.json()
    gone = await asked(app, "HEAD", "/other/a/b")
    assert (gone.status, gone.body) == (404, b"")


@in_loop
async def test_defects_are_told_so_too(tmp_path: Path, vit: str) -> None:
    app = create_app(Settings(data_dir=tmp_path), integrations=[other()])
    client = Client(app)
    with pytest.raises(ArithmeticError):  # which the server writes down
        await client.send("POST", "/other/defect")
    assert client.status == 500
    assert client.json()["error"]


@in_loop
async def test_only_what_it_says_is_open_needs_no_key(tmp_path: Path, vit: str) -> None:
    app = create_app(Settings(data_dir=tmp_path, auth="keys"), integrations=[other()])
    assert (await asked(app, "GET", "/other/health")).status == 200
    closed = await asked(app, "POST", "/other/a", b"{}")
    assert closed.status == 503  # keys are not known yet
    assert closed.json()["error"].startswith("The service is starting")


@in_loop
async def test_bodies_may_be_as_large_as_those_of_forms(tmp_path: Path, vit: str) -> None:
    settings = Settings(data_dir=tmp_path, max_image_bytes=10, max_request_bytes=20)
    app = create_app(settings, integrations=[other()])
    assert (await asked(app, "POST", "/other/a", bytes(20))).body == b"20"
    refused = await asked(app, "POST", "/other/a", bytes(21))
    assert refused.status == 413
    assert "HANDFUL_MAX_REQUEST_BYTES" in refused.json()["error"]


@in_loop
async def test_what_runs_beside_ends_before_the_service(tmp_path: Path, vit: str) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def beside(app: FastAPI) -> AsyncIterator[None]:
        told.append("entered")
        yield
        told.append("left")

    app = create_app(
        Settings(data_dir=tmp_path, backbone=vit),
        integrations=[other(beside=beside)],
        on_exit=lambda: told.append("ended"),
    )
    async with app.router.lifespan_context(app):
        assert told == []  # the start waits for none
        await until(lambda: app.state.parts is not None)
        assert (await asked(app, "GET", "/other/health")).status == 200
        assert told == ["entered"]
    assert told == ["entered", "left", "ended"]


@in_loop
async def test_what_cannot_be_loaded_ends_the_service(tmp_path: Path, vit: str) -> None:
    failed: list[Exception] = []

    @asynccontextmanager
    async def beside(app: FastAPI) -> AsyncIterator[None]:
        raise OSError("the port is taken")
        yield

    app = create_app(
        Settings(data_dir=tmp_path, backbone=vit),
        failed.append,
        integrations=[other(beside=beside)],
    )
    async with app.router.lifespan_context(app):
        await until(lambda: bool(failed))
    assert str(failed[0]) == "the port is taken"


def test_a_path_is_its_own_only_below_its_prefix() -> None:
    one = other()
    there = Integrations([one], "/root")
    assert there.at("/other/a") is there.at("/root/other/a") is there.at("/other") is one
    assert there.at("/others") is there.at("/v1/classifiers/other") is None
    assert there.required_access("OPTIONS", "/other/a") is None
    assert there.required_access("GET", "/others") == RequiredAccess(Scope.READ)


def test_each_that_is_registered_can_be_switched_on_and_off(tmp_path: Path) -> None:
    for name in INTEGRATIONS:
        settings = Settings(data_dir=tmp_path, integrations=[name])
        [one] = chosen(settings)
        assert one.name == name
        assert not one.prefix.startswith("/v1")
        routes = one.load().router.routes
        assert {route.path.startswith(one.prefix) for route in routes} == {True}  # type: ignore[attr-defined]
    assert chosen(Settings(data_dir=tmp_path, integrations="")) == []


@pytest.mark.parametrize(
    ("name", "missing"),
    [("label-studio", "httpx2"), ("mcp", "mcp"), ("mcp", "handful_client")],
)
def test_all_that_it_needs_is_looked_for_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, missing: str
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        "service.settings.integrations.find_spec",
        lambda module: None if module == missing else there(module),
    )
    with pytest.raises(ValidationError, match=rf"pip install 'handful\[{name}\]'"):
        Settings(integrations=name)


def test_a_name_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="there is no integration 'prism'"):
        Settings(data_dir=tmp_path, integrations="prism")
