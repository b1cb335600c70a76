"""Imports stand at the top of a module; inside a function only where they cost a start-up time.

`lint-imports` (pyproject.toml) says who may import whom, wherever the import stands.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "service", "handful")
LATE = {
    "adapters/engines/precisions.py": "OpenVINO, where nothing is compiled",
    "adapters/engines/quantisation.py": "NNCF, which is an extra",
    "service/cli/**/*.py": "`handful --help` and wrong arguments answer before PyTorch is imported",
    "service/serving/*.py": "a port or a setting that is wrong is told before PyTorch is imported",
    "service/integrations/mcp/endpoint.py": "the SDK of MCP, where no agent ever asks",
    "service/ray/local_cluster.py": "Ray, where it is not installed or a setting is wrong",
    "service/api/routes/reports.py": "matplotlib, which most services never need",
    "adapters/backbones/geometry.py": "open_clip, whose rarer preprocessing few models have",
    "service/archives/code_pages.py": "chardet, which nobody with UTF-8 names waits for",
    "service/integrations/open_inference/__init__.py": "gRPC, which is an extra",
    "service/integrations/open_inference/rpc/generate.py": "its compiler, which developers have",
    "service/fetching/__init__.py": "HTTPX, where images are fetched",
    "service/telemetry/tracing.py": "OpenTelemetry's SDK, where traces are asked for",
    "service/training/run_folder.py": "matplotlib, at the end of a training",
    "adapters/kept/load.py": "open_clip and what it brings, where nothing is kept yet",
    "service/storage/contents/opening.py": "obstore, where images are kept in a bucket",
    "service/storage/postgresql.py": "psycopg, where the database is PostgreSQL",
    "service/encoder.py": "open_clip and what it brings, where no compiled backbone is kept",
    "adapters/prompts/shared_towers.py": "OpenVINO, where nothing is compiled",
    "service/encoding/prompted.py": "open_clip and what it brings, where no prompts are used",
    "service/training/launcher.py": "PyTorch, as the commands that use it",
}
"""Modules that may import inside a function, and for what."""


def late_imports(source: str) -> list[int]:
    """Lines of the imports inside functions."""
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    found = {
        node.lineno
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return sorted(found)


def test_modules_import_at_the_top_unless_named() -> None:
    allowed = {path for pattern in LATE for path in ROOT.glob(pattern)}
    modules = {path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert len(modules) > 100
    late = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(modules - allowed)
        for line in late_imports(path.read_text("utf-8"))
    ]
    assert not late


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import a\nif a:\n    import b\n", []),
        ("def f():\n    import a\n", [2]),
        ("class C:\n    async def f(self):\n        if self:\n            from a import b\n", [4]),
    ],
)
def test_an_import_inside_a_function_is_found(source: str, lines: list[int]) -> None:
    assert late_imports(source) == lines
