"""Tokens of sessions are read from cookies only, and their CSRF tokens from one field."""

from __future__ import annotations

from service.access.session_token import csrf_token_of, has_csrf_token_of, token_in


def test_a_token_is_found_among_cookies_and_nowhere_else() -> None:
    token = "A-_z" * 10 + "abc"
    for value in (
        f"handful_session={token}",
        f"a=b; handful_session={token}",
        f"handful_session={token}; handful_session={'B' * 43}",
    ):
        assert token_in([(b"host", b"x"), (b"cookie", value.encode())]) == token
    for value in (
        f"my_handful_session={token}",
        f"handful_session={token}x",
        f"handful_session={token[1:]}",
        f'handful_session="{token}"',
        "",
    ):
        assert token_in([(b"cookie", value.encode()), (b"x", token.encode())]) is None


def test_one_csrf_token_is_needed_and_it_is_the_sessions() -> None:
    field, right = b"x-csrf-token", csrf_token_of("token").encode()
    assert has_csrf_token_of("token", [(field, right)])
    for wrong in (
        [],
        [(field, b"")],
        [(field, right.upper())],
        [(field, right), (field, right)],
        [(b"csrf-token", right)],
        [(field, csrf_token_of("tokem").encode())],
        [(field, "ü".encode("latin-1"))],
    ):
        assert not has_csrf_token_of("token", wrong)
