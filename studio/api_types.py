"""Make the studio's types of the API, of what the OpenAPI document says of answers that succeed.

make studio                                 # or python studio/api_types.py
python studio/api_types.py --check          # exit status 1 if they are not up to date
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.api.app import create_app
from service.settings import Settings

STUDIO = Path(__file__).parent
TYPES = STUDIO / "src" / "api" / "schema.d.ts"
# Said to people, and in the documentation.
_WORDS = {"description", "examples", "example", "title", "summary", "links", "headers"}


def document() -> dict[str, Any]:
    """The OpenAPI document without words and without what is refused, a tenth of the whole."""
    whole = create_app(Settings(_env_file=None)).openapi()
    paths = whole["paths"]
    for operation in (operation for path in paths.values() for operation in path.values()):
        answers = operation["responses"]
        operation["responses"] = {
            status: answer for status, answer in answers.items() if status.startswith("2")
        }
    schemas = whole["components"]["schemas"]
    told = {name: one for name, one in schemas.items() if not name.startswith("Problem")}
    kept: dict[str, Any] = _without_words({"paths": paths, "components": {"schemas": told}})
    return {"openapi": whole["openapi"], "info": {"title": "Handful", "version": ""}, **kept}


def _without_words(part: Any, *, names: bool = False) -> Any:
    """``part`` without what is said to people; in ``names``, keys are names and not words."""
    if isinstance(part, list):
        return [_without_words(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _without_words(value, names=key in {"properties", "schemas", "paths"} and not names)
        for key, value in part.items()
        if names or key not in _WORDS
    }


def made() -> str:
    """The types as they are to be."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "openapi.json", Path(folder) / "schema.d.ts"
        source.write_text(json.dumps(document()))
        command = ["npx", "openapi-typescript", str(source), "--output", str(target)]
        command += ["--default-non-nullable=false"]
        subprocess.run(command, cwd=STUDIO, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - a program of node_modules
        return target.read_text()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    types = made()
    if not parser.parse_args().check:
        TYPES.write_text(types)
    elif types != TYPES.read_text():
        sys.exit(f"{TYPES.relative_to(STUDIO.parent)} is not up to date: make studio")


if __name__ == "__main__":
    main()
