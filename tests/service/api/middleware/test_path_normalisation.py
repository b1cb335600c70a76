"""A path is taken as it was sent or refused: nothing on its way changes what a write acts upon."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from service.api.middleware.path_normalisation import UnambiguousPaths, decoded_path
from service.name_validation import checked_classifier, checked_label
from service.problems import InvalidName, InvalidPath
from tests.service.client import Classifier, Json, problem
from tests.service.pictures import picture
from tests.service.rewriting import REWRITINGS, WRITINGS
from tests.service.server import Server

NAME = "kept"
LABELS = ["a", "b", "images", "classes", "..a", "%2F", "%2e%2e", "a%2Fb", "é", "50% off?"]


class Written:
    """A classifier whose every change is seen, and requests sent byte for byte."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.address = urlsplit(url)
        self.kept = Classifier(http, NAME)
        self.restore()

    def restore(self) -> None:
        """Make the classifier anew: classes, some with an image, and a setting of its own."""
        self.kept.http.delete(self.kept.url)
        self.kept.put(names_carry_meaning=False, classes=LABELS)
        for i, label in enumerate(LABELS[:2]):
            assert self.kept.post(label, picture(i)).status_code == 201
        self.before = self.state()

    def state(self) -> dict[str, Any]:
        """Settings of all classifiers, and the images of the kept one by class."""
        http = self.kept.http
        listed: list[Json] = http.get("/v1/classifiers").json()["classifiers"]
        found: dict[str, Any] = {one["name"]: one["names_carry_meaning"] for one in listed}
        if NAME in found:
            for label, n_images in self.kept.counts().items():
                found[f"{NAME}/{label}"] = n_images
        return found

    def send(self, method: str, path: str, body: bytes = b"") -> int:
        """Send a request and return the status of its answer."""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self.address.netloc}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        with socket.create_connection((self.address.hostname, self.address.port)) as connection:
            connection.sendall(head.encode("latin-1") + body)
            return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture(scope="module")
def written(spare: Server) -> Iterator[Written]:
    with spare.client() as http:
        made = Written(spare.url, http)
        yield made
        http.delete(made.kept.url)  # other tests want the service empty


# Names that people, attackers and mistakes put into paths.
HOSTILE = st.sampled_from(
    [
        *("..", ".", "...", "..a", "", " ", "a/b", "../b", "a/../b", "a/images/b", "../../kept"),
        *("%2e%2e", "%2E", "%2F", "a%2Fb", "%252e", "..%2f", "%5c..", "a\\b", "..\\b", "\\", "%"),
        *("%zz", "a//b", "/", "//", "a/", "/a", "a;b", "..;", ";/..", "é", "e\u0301", "森林", "?"),
        *("#", "a?b", "50% off?", "a+b", "a b", "\x00", "a\nb", "\ud800", "classes", "images"),
    ]
)
NAMES = st.one_of(st.sampled_from(LABELS), HOSTILE, st.text(max_size=6))
REQUESTS = st.one_of(
    st.tuples(st.sampled_from(["DELETE", "PUT"]), st.tuples(NAMES)),
    st.tuples(st.sampled_from(["DELETE", "PUT"]), st.tuples(st.just(NAME), NAMES)),
    st.tuples(st.just("DELETE"), st.tuples(st.just(NAME), NAMES, NAMES)),
    st.tuples(st.just("POST"), st.tuples(st.just(NAME), NAMES, st.none())),
)
_ADDRESS = re.compile("/v1/classifiers/([^/]+)(?:/classes/([^/]+)(?:/images(?:/([^/]+))?)?)?")


def path_of(names: tuple[str | None, ...], write: Any) -> str:
    pieces = ["/v1/classifiers/", "/classes/", "/images/"]
    path = "".join(
        f"{piece}{write(name)}"
        for piece, name in zip(pieces, names, strict=False)
        if name is not None
    )
    return path if len(names) < 3 or names[2] is not None else f"{path}/images"


def addressed(path: str) -> tuple[str, ...] | None:
    """The names that a path spells, read without the service's code; None: it is no resource."""
    found = _ADDRESS.fullmatch(path)
    if found is None:
        return None
    try:
        read = tuple(unquote_to_bytes(one).decode() for one in found.groups() if one)
    except UnicodeDecodeError:
        return None
    return None if any(set(one) & set("/\\") or one in {".", ".."} for one in read) else read


def usable(names: tuple[str | None, ...]) -> bool:
    """Whether the service takes these names of a classifier, a class and an image."""
    try:
        checked_classifier(names[0] or "")
        if len(names) > 1:
            checked_label(names[1] or "")
    except InvalidName:
        return False
    return len(names) < 3 or names[2] is None or bool(re.fullmatch("[0-9a-f]{32}", names[2]))


@settings(
    max_examples=75,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(REQUESTS, st.sampled_from(sorted(WRITINGS)), st.sampled_from(sorted(REWRITINGS)))
def test_a_write_acts_upon_what_its_sender_named_or_upon_nothing(
    written: Written, request: tuple[str, tuple[str | None, ...]], writing: str, rewriting: str
) -> None:
    method, names = request
    try:
        path = REWRITINGS[rewriting](path_of(names, WRITINGS[writing]))
        path.encode("ascii")
    except (ValueError, httpx.InvalidURL):  # the client sends nothing
        assume(False)
    meant = tuple(name for name in names if name is not None)
    if addressed(path) not in {None, meant}:
        # Byte for byte another request. No server can know; but no name that can be used leads
        # there (docs/api.md).
        assert not usable(names), (names, path)
        event(f"{rewriting}: another request")
        assume(False)

    status = written.send(method, path, picture(99) if method == "POST" else b"")
    after = written.state()
    changed = {
        key
        for key in after.keys() | written.before.keys()
        if after.get(key) != written.before.get(key)
    }
    event(f"{method} {status}")
    if changed:
        assert status in {200, 201, 204}
        label = checked_label(meant[1]) if len(meant) > 1 else None
        if label is not None:
            assert changed == {f"{NAME}/{label}"}
        else:
            assert meant[0] in changed
            assert all(key == meant[0] or meant[0] == NAME for key in changed)
        for name in after.keys() - written.before.keys():
            if "/" not in name:
                written.kept.http.delete(f"/v1/classifiers/{name}")
        written.restore()
    else:
        assert 400 <= status < 500 or (method == "PUT" and status == 200)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/classifiers/kept/",
        "/v1/classifiers/kept/classes/..",
        "/v1/classifiers/kept/classes/%2e%2E",
        "/v1/classifiers/kept/classes/a/..",
        "/v1/classifiers/kept/classes/a/../",
        "/v1/classifiers/./kept",
        "/v1//classifiers/kept",
        "//v1/classifiers/kept",
        "/v1/classifiers/kept//",
        "/v1/classifiers/kept/classes/a/",
        "/v1/classifiers/kept/classes/a%2F",
        "/v1/classifiers/kept/classes/x%2F..%2Fa",
        "/v1/classifiers/kept/classes/x%5C..%5Ca",
        "/v1/classifiers/kept/classes/x\\..\\a",
        "/v1/classifiers/kept%2Fclasses%2Fa",
        "/v1/classifiers/kept%00",
        "/v1/classifiers/kept/classes/%",
        "/v1/classifiers/kept/classes/%6",
        "/v1/classifiers/kept/classes/%C3",
        "/v1/classifiers/kept/classes/\xe9",
    ],
)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "GET"])
def test_a_path_with_two_readings_is_refused(written: Written, method: str, path: str) -> None:
    assert written.send(method, path) in {400, 404, 422}
    assert written.state() == written.before


@pytest.mark.parametrize(
    ("path", "status", "kind", "told"),
    [
        ("/v1/classifiers/kept/", 404, "http-not-found", "leave out the slash"),
        ("/v1//classifiers", 400, "invalid-path", "empty segment"),
        ("/v1/classifiers/kept/classes/%zz", 400, "invalid-path", "%25"),
        ("/v1/classifiers/kept/classes/%2E%2E", 422, "invalid-name", "folders"),
        ("/v1/classifiers/kept/classes/a%2Fb", 422, "invalid-name", "slashes"),
        ("/v1/classifiers/kept/classes/%FF", 422, "invalid-name", "UTF-8"),
    ],
)
def test_a_refused_path_is_told_why(
    http: httpx.Client, path: str, status: int, kind: str, told: str
) -> None:
    answer = http.delete(path)
    problem(answer, status, kind, told)
    assert "location" not in answer.headers


def test_a_label_is_decoded_once(classifier: Classifier) -> None:
    for label in ("%2F", "%2e%2e", "a%2Fimages%2Fb", "%25"):
        assert classifier.http.put(classifier.class_url(label)).json()["label"] == label
    assert list(classifier.counts()) == ["%2F", "%2e%2e", "a%2Fimages%2Fb", "%25"]


def taken(raw: bytes) -> str | None:
    """The decoded path; None: it was refused, with a reason."""
    try:
        return decoded_path(raw)
    except (InvalidName, InvalidPath) as refusal:
        told(refusal)
        return None


def told(refusal: InvalidName | InvalidPath) -> None:
    assert refusal.status in {400, 422}
    assert refusal.detail


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(NAMES, max_size=4), st.sampled_from(sorted(WRITINGS)))
def test_a_path_that_is_taken_has_the_names_that_were_written(
    names: list[str], writing: str
) -> None:
    decoded = taken(("/" + "/".join(WRITINGS[writing](name) for name in names)).encode())
    assert decoded in {None, "/" + "/".join(names)}
    assert decoded is None or not {".", ".."} & set(names)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=20), st.text("/.%2eEfF5cC\\a", max_size=20))
def test_any_bytes_are_a_path_or_refused(content: bytes, text: str) -> None:
    for raw in (b"/" + content, b"/" + text.encode()):
        if (decoded := taken(raw)) is not None:
            assert decoded.count("/") == raw.count(b"/")
            assert "//" not in decoded
            assert "\\" not in decoded


def routed(raw_path: str, root_path: str) -> str | int:
    """The path that an application behind the middleware is asked for, or the refusal's status."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    async def send(message: Any) -> None:
        seen.append(message.get("status"))

    scope = {
        "type": "http",
        "method": "DELETE",
        "path": "/whatever the server made of it",
        "raw_path": raw_path.encode(),
        "root_path": root_path,
        "headers": [],
    }
    asyncio.run(UnambiguousPaths(app)(scope, None, send))  # type: ignore[arg-type]
    first: str | int = seen[0]
    return first


def test_the_root_path_is_no_part_of_what_is_checked() -> None:
    assert routed("/prefix/v1/classifiers", "/prefix") == "/prefix/v1/classifiers"
    assert routed("/v1/classifiers", "/prefix") == "/v1/classifiers"
    assert routed("/prefix/v1/classifiers/a%20b", "/prefix") == "/prefix/v1/classifiers/a b"
    assert routed("/prefix/v1/..", "/prefix") == 422
    assert routed("/prefix/../v1", "/prefix") == 422
    assert routed("/prefixed/../v1", "/prefix") == 422
    assert routed("/prefix//v1", "/prefix") == 400
    assert routed("//prefix/v1", "/prefix") == 400
