"""No byte of an answer to one tenant depends on another tenant's data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.api.tenants_alone_and_beside import (
    SEQUENCES,
    Player,
    Step,
    in_turns,
    masked,
    tenants,
)
from tests.service.api.test_keys import Keyed, made
from tests.service.pictures import picture
from tests.service.server import Server


@pytest.fixture(scope="module")
def keyed(
    tmp_path_factory: pytest.TempPathFactory, vit: str, shared_database: str
) -> Iterator[Keyed]:
    data_dir = tmp_path_factory.mktemp("isolated")
    stored = {"database_url": shared_database}
    operator = made(data_dir, "--scopes", "admin", **stored)
    with Server.ready(
        data_dir, backbone=vit, auth="keys", tuning_share=1.0, tenant_images=1000, **stored
    ) as running:
        yield Keyed(running, operator)
        running.stop()
    assert "Traceback" not in running.log.read_text()


_NAMES = tenants()


def new_tenant(keyed: Keyed) -> tuple[str, httpx.Client]:
    name = next(_NAMES)
    key = keyed.key(tenant=name, scopes=["admin", "read", "predict", "write"])
    return name, keyed.client(key)


def check_isolated(keyed: Keyed, mine: list[Step], theirs: list[Step], order: list[bool]) -> None:
    """Play ``mine`` alone, then beside ``theirs``; the answers must be the same."""
    named = [new_tenant(keyed) for _ in range(3)]
    try:
        alone, beside, other = (
            Player(client, name, steps)
            for (name, client), steps in zip(named, (mine, mine, theirs), strict=True)
        )
        alone.play_all()
        in_turns(beside, other, order)
        for step, first, second in zip(mine, alone.answers, beside.answers, strict=True):
            assert first == second, step
    finally:
        for _, client in named:
            client.close()


def drawn(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Two sequences, and the order of their steps."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        given_them = given(SEQUENCES, SEQUENCES, st.lists(st.booleans(), max_size=12))
        return settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )(given_them(test))

    return decorate


@pytest.mark.parametrize("shared_database", ["sqlite"], indirect=True)
@drawn(6)
def test_answers_do_not_depend_on_another_tenant(
    keyed: Keyed, mine: list[Step], theirs: list[Step], order: list[bool]
) -> None:
    check_isolated(keyed, mine, theirs, order)


@pytest.mark.parametrize("shared_database", ["postgresql"], indirect=True)
@drawn(2)
def test_answers_do_not_depend_on_another_tenant_of_a_server(
    keyed: Keyed, mine: list[Step], theirs: list[Step], order: list[bool]
) -> None:
    check_isolated(keyed, mine, theirs, order)


def test_the_other_tenants_same_images_and_names_are_not_told(keyed: Keyed) -> None:
    """The sequence in which sharing would show: the same names, labels and pictures."""
    steps = [
        Step(what, "a", "ant", (1, 2))
        for what in ("create", "register", "register", "class", "predict", "usage", "list", "audit")
    ]
    check_isolated(keyed, steps, steps, [True] * len(steps))


def test_what_differs_would_be_seen(keyed: Keyed) -> None:
    """The comparison is no comparison of nothing."""
    name, client = new_tenant(keyed)
    with client:
        before = client.get("/v1/classifiers")
        client.put("/v1/classifiers/a").raise_for_status()
        assert masked(client.get("/v1/classifiers"), name) != masked(before, name)
        put: Callable[[int], httpx.Response] = lambda i: client.post(  # noqa: E731
            "/v1/classifiers/a/classes/b/images", files=[("files", ("x.png", picture(i)))]
        )
        assert masked(put(1), name) != masked(put(1), name)  # a duplicate
