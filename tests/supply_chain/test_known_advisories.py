"""Advisories: what is known fails, and that nothing could be asked is said."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from supply_chain import known_advisories
from supply_chain.known_advisories import NoSourceError, answering, of_packages, of_studio

KNOWN = {"jinja2": "GHSA-462w-v97r-4m45", "six": "GHSA-aaaa-bbbb-cccc"}


class Source(BaseHTTPRequestHandler):
    """Open Source Vulnerabilities, of two packages."""

    known: ClassVar[dict[str, str]] = KNOWN

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": []}]
        told = {"vulns": [self._advisory(name, affected)]} if name in self.known else {}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _advisory(self, name: str, affected: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.known[name],
            "aliases": [f"CVE-{name}"],
            "summary": "It is made up.",
            "published": "2026-01-01T00:00:00Z",
            "affected": affected,
        }

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Ignorant(Source):
    """A mirror that answers to everything, and knows nothing."""

    known: ClassVar[dict[str, str]] = {}


def options(server: ThreadingHTTPServer) -> tuple[str, ...]:
    url = f"http://127.0.0.1:{server.server_port}"
    return ("--vulnerability-service=osv", f"--osv-url={url}")


@pytest.fixture(params=[Source])
def source(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """Options of pip-audit for a source on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), request.param)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield options(server)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def silent() -> tuple[str, ...]:
    """Options for a source that nobody answers at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    return ("--vulnerability-service=osv", f"--osv-url=http://127.0.0.1:{port}")


def requirements(folder: Path, *pins: str) -> tuple[str, ...]:
    file = folder / "requirements.txt"
    file.write_text("\n".join(pins))
    return (f"-r{file}", "--no-deps", "--disable-pip")


def test_an_advisory_is_told_with_its_ids(source: tuple[str, ...], tmp_path: Path) -> None:
    [line] = of_packages(source, *requirements(tmp_path, "six==1.17.0", "attrs==26.1.0"))
    assert line.startswith("six 1.17.0: CVE-six GHSA-aaaa-bbbb-cccc")


def test_one_that_does_not_concern_us_is_not(
    source: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(known_advisories.DO_NOT_CONCERN, "CVE-six", "only in a test")
    assert of_packages(source, *requirements(tmp_path, "six==1.17.0")) == []


def test_the_first_source_that_knows_something_is_asked(
    source: tuple[str, ...], silent: tuple[str, ...]
) -> None:
    assert answering({"nobody": silent, "somebody": source}) == "somebody"


@pytest.mark.parametrize("source", [Ignorant], indirect=True)
def test_a_source_that_knows_nothing_is_none(source: tuple[str, ...]) -> None:
    with pytest.raises(NoSourceError, match="a mirror"):
        answering({"a mirror": source})


def test_a_source_that_does_not_answer_is_said(silent: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(NoSourceError):
        of_packages(silent, *requirements(tmp_path, "six==1.17.0"))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], "looked up at somebody"),
        (["six 1.17.0: CVE-six"], "looked up at somebody"),
        (None, "NOT CHECKED"),
    ],
)
def test_an_advisory_fails_and_silence_is_said(
    told: list[str] | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def asked(*_: Any) -> list[str]:
        if told is None:
            raise NoSourceError("nobody is there")
        return told

    monkeypatch.setattr(known_advisories, "SOURCES", {"somebody": ()})
    monkeypatch.setattr(known_advisories, "answering", lambda _: "somebody")
    monkeypatch.setattr(known_advisories, "of_packages", asked)
    monkeypatch.setattr(known_advisories, "of_studio", lambda: asked() and [])
    assert known_advisories.main() == (1 if told else 0)
    assert said in capsys.readouterr().out


def npm(folder: Path, says: str) -> str:
    """A folder with an npm that says something."""
    program = folder / "npm"
    program.write_text(f"#!{sys.executable}\nprint({says!r})\nraise SystemExit(1)\n")
    program.chmod(0o755)
    return str(folder)


def test_advisories_on_the_studio_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://github.com/advisories/GHSA-dddd-eeee-ffff"
    found = {
        "preact": {"range": "<11", "via": [{"url": url, "title": "made up"}]},
        "@preact/signals": {"range": "*", "via": ["preact"]},
    }
    monkeypatch.setenv("PATH", npm(tmp_path, json.dumps({"vulnerabilities": found})))
    assert of_studio() == [f"preact <11: {url}"]
    monkeypatch.setitem(known_advisories.DO_NOT_CONCERN, "GHSA-dddd-eeee-ffff", "only in a test")
    assert of_studio() == []


def test_one_that_does_not_concern_us_hides_no_other_of_the_studio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"https://github.com/advisories/GHSA-dddd-eeee-{end}" for end in ("ffff", "gggg")]
    via = [{"url": url, "title": "made up"} for url in urls]
    told = {"vulnerabilities": {"preact": {"range": "<11", "via": via}}}
    monkeypatch.setenv("PATH", npm(tmp_path, json.dumps(told)))
    assert of_studio() == [f"preact <11: {' '.join(urls)}"]
    monkeypatch.setitem(known_advisories.DO_NOT_CONCERN, "GHSA-dddd-eeee-ffff", "only in a test")
    assert of_studio() == [f"preact <11: {urls[1]}"]


def test_a_registry_without_advisories_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", npm(tmp_path, json.dumps({"message": "405 Method Not Allowed"})))
    with pytest.raises(NoSourceError):
        of_studio()
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(NoSourceError):
        of_studio()


def test_whatever_does_not_concern_us_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in known_advisories.DO_NOT_CONCERN.values())
