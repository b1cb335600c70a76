"""KubeRay's own schema for our manifest, which is too large to be kept here.

    python -m tests.campaigns.rayservice CRD

CRD is ``ray-operator/config/crd/bases/ray.io_rayservices.yaml`` of ray-project/kuberay. Fields that
the schema does not know are errors, as they are to ``kubectl apply --validate=strict``.

Last run: KubeRay feeaf72 (after v1.7.0): 0 errors; with a field misspelt: 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

MANIFEST = Path(__file__).parents[2] / "deploy" / "ray" / "rayservice.yaml"


def strict(schema: Any) -> Any:
    """The same schema, in which objects have no other fields than they name."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    named = made.get("properties")
    if (
        isinstance(named, dict)
        and made.get("type") == "object"
        and "additionalProperties" not in made
        and not made.get("x-kubernetes-preserve-unknown-fields")
    ):
        made["additionalProperties"] = False
    return made


def main() -> None:
    """Validate; exit status 1 if there are errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crd", type=Path)
    definition = yaml.safe_load(parser.parse_args().crd.read_text())
    [schema] = [
        one["schema"]["openAPIV3Schema"]
        for one in definition["spec"]["versions"]
        if one["name"] == "v1"
    ]
    schema["properties"]["metadata"] = {"type": "object", "additionalProperties": True}
    manifest = yaml.safe_load(MANIFEST.read_text())
    errors = list(Draft202012Validator(strict(schema)).iter_errors(manifest))
    for error in errors:
        print(f"{error.json_path}: {error.message[:200]}")
    print(f"{len(errors)} errors")
    raise SystemExit(bool(errors))


if __name__ == "__main__":
    main()
