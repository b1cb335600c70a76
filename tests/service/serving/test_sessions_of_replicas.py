"""Sessions of browsers are those of all replicas."""

from __future__ import annotations

from pathlib import Path

from tests.service.api.test_keys import Keyed, made
from tests.service.api.test_sessions import logged_in
from tests.service.client import problem
from tests.service.databases import only_postgresql
from tests.service.server import Server


@only_postgresql
def test_all_replicas_know_a_session_and_none_after_the_log_out(
    database: str, tmp_path: Path, vit: str
) -> None:
    settings = {"auth": "keys", "backbone": vit, "database_url": database}
    operator = made(tmp_path, "--scopes", "read", database_url=database)
    with (
        Server.ready(tmp_path / "a", **settings) as one,
        Server.ready(tmp_path / "b", **settings) as other,
        logged_in(Keyed(one, operator), operator) as http,
        other.client() as elsewhere,
    ):
        elsewhere.headers["cookie"] = f"handful_session={http.cookies['handful_session']}"
        elsewhere.headers["x-csrf-token"] = http.headers["x-csrf-token"]
        assert elsewhere.get("/v1/classifiers").status_code == 200
        assert elsewhere.delete("/v1/session").status_code == 204
        problem(http.get("/v1/classifiers"), 401, "key-required", "session has ended")
