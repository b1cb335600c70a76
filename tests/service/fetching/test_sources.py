"""Hosts that images may be fetched from, as they are written."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from service.fetching.sources import Source
from service.settings import Settings


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("images.example.com", Source("https", "images.example.com", 443)),
        ("IMAGES.example.com", Source("https", "images.example.com", 443)),
        ("https://a.b:8443", Source("https", "a.b", 8443)),
        ("http://a.b/", Source("http", "a.b", 80)),
        ("*.example.com", Source("https", "example.com", 443, below=True)),
        ("http://*.example.com:81", Source("http", "example.com", 81, below=True)),
        ("8.8.8.8", Source("https", "8.8.8.8", 443)),
        ("[2606:4700::1111]:444", Source("https", "2606:4700::1111", 444)),
        ("xn--exmple-cua.com", Source("https", "xn--exmple-cua.com", 443)),
    ],
)
def test_sources_are_read(written: str, source: Source) -> None:
    assert Source.read(written) == source


@pytest.mark.parametrize(
    "written",
    [
        *("", "*", "*.", "ftp://a.b", "a.b/c", "a.b?c", "user@a.b", "a b", "a.b:0", "a.b:65536"),
        *("a*.b", "a.*.b", ".a", "a.", "exämple.com", "https://", "[::1", "a.b#c", "a\\b"),
    ],
)
def test_others_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no host to fetch from"):
        Source.read(written)


def test_a_source_holds_its_own_origin_alone() -> None:
    source = Source.read("images.example.com")
    assert source.holds("https", "images.example.com", 443)
    for other in (
        ("http", "images.example.com", 80),
        ("https", "images.example.com", 8443),
        ("https", "example.com", 443),
        ("https", "a.images.example.com", 443),
        ("https", "images.example.com.", 443),
        ("https", "images.example.com.evil.com", 443),
    ):
        assert not source.holds(*other)
    below = Source.read("*.example.com")
    assert below.holds("https", "a.example.com", 443)
    assert below.holds("https", "a.b.example.com", 443)
    for host in ("example.com", "evilexample.com", ".example.com.evil.com"):
        assert not below.holds("https", host, 443)


def test_the_setting_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().fetch_from == []
    monkeypatch.setenv("HANDFUL_FETCH_FROM", "a.example.com, http://b.example.com:81")
    assert Settings().fetch_from == ["a.example.com", "http://b.example.com:81"]
    monkeypatch.setenv("HANDFUL_FETCH_FROM", "a.example.com/images")
    with pytest.raises(ValidationError, match="no host to fetch from"):
        Settings()
