"""Nobody waits for the SDK but agents: neither a start with the integration nor other commands."""

from __future__ import annotations

import pytest

from tests.test_import_budget import HEAVY, imported


@pytest.mark.parametrize(
    ("program", "without"),
    [
        (
            "import service.integrations, service.settings as s\n"
            "service.integrations.chosen(s.Settings(integrations='mcp'))",
            ("mcp", "mcp_types", "handful_client", "httpx2"),
        ),
        (
            "import service.cli.mcp, service.mcp_tools.stdio",
            (*HEAVY, "torch", "fastapi", "numpy", "PIL", "sqlalchemy"),
        ),
    ],
    ids=["the service", "handful mcp"],
)
def test_nothing_is_imported_that_is_not_needed(program: str, without: tuple[str, ...]) -> None:
    assert not imported(program) & set(without)
