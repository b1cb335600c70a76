"""Lines of the log: JSON that nobody can forge, and no secrets in either format."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.logs import JsonLines, TextLines, without_secrets

KEY = f"handful_{'0f' * 8}_{'x-_9' * 10}abc"


def record(message: str, *arguments: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("handful", logging.INFO, "a.py", 1, message, arguments, None)
    made.__dict__.update(more)
    return made


def line(*arguments: object, **more: Any) -> dict[str, Any]:
    text = JsonLines().format(record(*arguments, **more))  # type: ignore[arg-type]
    assert text.isascii()
    assert len(text.splitlines()) == 1
    read: dict[str, Any] = json.loads(text)
    return read


def test_a_line_has_the_time_the_level_and_the_message() -> None:
    told = line("classifier %r is ready", "Käfer", created=1_800_000_000.25)
    assert told == {
        "timestamp": "2027-01-15T08:00:00.250000Z",
        "level": "INFO",
        "logger": "handful",
        "message": "classifier 'Käfer' is ready",
    }


@given(st.text())
def test_whatever_is_in_a_message_it_is_one_line_and_comes_back(text: str) -> None:
    told = line("%s", text, fields={"url.path": text})
    assert told["message"] == without_secrets(text)
    assert told["url.path"] == text


def test_an_exception_is_part_of_its_line() -> None:
    try:
        raise ValueError(f"a\nb {KEY}")
    except ValueError:
        told = line("failed", exc_info=sys.exc_info())
    assert "ValueError: a\nb handful_0f0f0f0f0f0f0f0f_***" in told["exception"]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"key {KEY} was refused", KEY[-43:]),
        ("'authorization': 'Bearer abc.def-ghi'", "abc.def-ghi"),
        ("(b'authorization', b'Basic dXNlcjpwYXNz')", "dXNlcjpwYXNz"),
        ("Proxy-Authorization: Bearer tok", "tok"),
        ("cookie: session=s3cr3t; other=t0k3n", "s3cr3t"),
        ("postgresql+psycopg://me:pa55@host/db failed", "pa55"),
        ("connection to 'host=a password=pa55 user=b' failed", "pa55"),
        ("http://user:pa55@collector:4318", "pa55"),
    ],
)
def test_secrets_are_in_no_line(text: str, secret: str) -> None:
    written = TextLines().format(record("%s", text))
    assert secret not in written
    assert "***" in written
    assert secret not in json.dumps(line("%s", text))


def test_what_only_looks_like_a_secret_stays() -> None:
    text = "GET 'https://a.example:8000/x@y' 200; authorised; handful_waiting_images"
    assert without_secrets(text) == text
