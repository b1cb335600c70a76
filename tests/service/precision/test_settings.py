"""int8 without NNCF is refused before anything is done."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from service.settings import Settings, encoding


def test_int8_without_nncf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=r"pip install 'handful\[int8\]'"):
        Settings(precision="int8")
    assert Settings(precision="bfloat16").precision == "bfloat16"
