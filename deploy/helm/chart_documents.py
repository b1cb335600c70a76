"""Make what is made of something else in the chart: settings in its schema, the README's table.

make chart                                     # or python deploy/helm/chart_documents.py
python deploy/helm/chart_documents.py --check  # exit status 1, and which files are not up to date
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from service.settings import Settings

CHART = Path(__file__).parent / "handful"
SCHEMA = CHART / "values.schema.json"
README = CHART / "README.md"
# What the chart sets itself: it mounts, probes and references what these name.
OF_THE_CHART = {"host", "port", "data_dir", "cache_dir", "database_url"}
_TABLE = ("<!-- values -->\n", "<!-- end of values -->\n")
_KEPT = {
    "type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "items",
    "pattern",
}  # fmt: skip


def settings() -> dict[str, Any]:
    """The service's settings as properties of ``settings``, by their names in ``HANDFUL_...``."""
    fields = Settings.model_json_schema()["properties"]
    return {
        name.upper(): _property(field)
        for name, field in sorted(fields.items())
        # Secrets are references: postgresql.existingSecret, extraEnv, extraEnvFrom.
        if name not in OF_THE_CHART and not field.get("writeOnly")
    }


def _property(field: dict[str, Any]) -> dict[str, Any]:
    variants = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    kept = [{key: one[key] for key in one if key in _KEPT} for one in variants]
    # Lists may be written as such, or as the service reads them.
    if any(one.get("type") == "array" for one in kept):
        kept.append({"type": "string"})
    # null unsets what another file of values has set.
    kept.append({"type": "null"})
    return {"description": field.get("description", ""), "anyOf": kept}


def schema() -> str:
    """values.schema.json with the settings as they are now."""
    document = json.loads(SCHEMA.read_text())
    document["properties"]["settings"]["properties"] = settings()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def rows(values: dict[str, Any], described: dict[str, Any], path: str = "") -> Iterator[str]:
    """A row of the table for each value: path, default, description."""
    for name, value in values.items():
        full, about = path + name, described["properties"][name]
        if isinstance(value, dict) and value and about.get("properties"):
            yield from rows(value, about, f"{full}.")
        else:
            default = json.dumps(value, ensure_ascii=False)
            yield f"| `{full}` | `{default}` | {about['description']} |"


def readme() -> str:
    """README.md with the values as they are now."""
    before, rest = README.read_text().split(_TABLE[0])
    after = rest.split(_TABLE[1])[1]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    table = ["| value | default | |", "|---|---|---|", *rows(values, json.loads(schema()))]
    return before + _TABLE[0] + "\n".join(table) + "\n" + _TABLE[1] + after


def main() -> int:
    """Write both files, or with --check tell which are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for file, make in [(SCHEMA, schema), (README, readme)]:
        made = make()
        if made == file.read_text():
            continue
        stale.append(file)
        if not check:
            file.write_text(made)
    for file in stale:
        sys.stderr.write(f"{file.relative_to(CHART.parent)}: {'stale' if check else 'written'}\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
