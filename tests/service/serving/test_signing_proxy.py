"""A service behind a proxy that signs users in: nobody else is believed, nobody else comes in."""

from __future__ import annotations

from pathlib import Path

import httpx2 as httpx

from tests.service.client import Classifier, of_four, problem
from tests.service.pictures import picture
from tests.service.server import Server, run_handful

ANN = {
    "x-forwarded-user": "ann@example.com",
    "x-forwarded-tenant": "lab",
    "x-forwarded-scopes": "read predict write",
}


def test_the_proxy_says_who_asks_and_only_the_proxy(tmp_path: Path, vit: str) -> None:
    with (
        Server.ready(tmp_path, backbone=vit, auth="proxy", trusted_proxies="127.0.0.1") as running,
        running.client() as http,
    ):
        problem(http.get("/v1/classifiers"), 401, "key-required", "X-Forwarded-User")
        assert http.get("/healthz").status_code == 200
        http.headers.update(ANN)
        of_four(http, "a")
        assert Classifier(http, "a").predict(picture(1)).status_code == 200
        problem(http.get("/metrics"), 403, "not-allowed", "operator")
        elsewhere = http.get("/v1/classifiers", headers={"x-forwarded-tenant": "other"})
        assert elsewhere.json()["classifiers"] == []
        nobodys = http.get("/v1/classifiers", headers={"x-forwarded-tenant": ""})
        problem(nobodys, 401, "key-required", "X-Forwarded-Tenant")
        for little in ("", "read"):
            refused = http.post("/v1/classifiers/a/predict", headers={"x-forwarded-scopes": little})
            told = problem(refused, 403, "not-allowed", "X-Forwarded-Scopes")
            assert "/v1/keys" not in told["detail"]
        # What a client claims beside what the proxy says, and an address of its own.
        twice = [("x-forwarded-tenant", "other"), *ANN.items()]
        refused = httpx.get(f"{running.url}/v1/classifiers", headers=twice)
        problem(refused, 401, "key-required", "more than one")
        forged = {"x-forwarded-for": "127.0.0.1", **ANN}
        assert http.get("/v1/classifiers", headers=forged).status_code == 200


def test_other_peers_are_refused_whatever_they_claim(tmp_path: Path, vit: str) -> None:
    with (
        Server.ready(tmp_path, backbone=vit, auth="proxy", trusted_proxies="10.9.9.9") as running,
        running.client() as http,
    ):
        for claimed in ({}, {"x-forwarded-for": "10.9.9.9"}, {"x-real-ip": "10.9.9.9"}):
            answer = http.get("/v1/classifiers", headers={**ANN, **claimed})
            problem(answer, 403, "not-allowed", "proxy")


def test_a_proxy_that_nobody_named_cannot_sign_anybody_in(tmp_path: Path) -> None:
    done = run_handful("serve", "--data-dir", str(tmp_path), auth="proxy")
    assert done.returncode == 2
    assert "HANDFUL_TRUSTED_PROXIES" in done.stderr
