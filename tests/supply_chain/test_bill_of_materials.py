"""The bill of materials: valid, of what is installed, with licences and hashes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import cyclonedx.schema
import jsonschema_rs
import pytest
from packaging.utils import canonicalize_name

from supply_chain.bill_of_materials import bill
from supply_chain.lock import LOCKS, OWN, ROOT, entries

SCHEMAS = Path(cyclonedx.schema.__file__).parent / "_res"


def validate(made: dict[str, Any]) -> None:
    """Compare with the schema of the version that it says.

    Raises:
        jsonschema_rs.ValidationError: It is not of it.
    """
    files = [
        f"{name}.SNAPSHOT.schema.json"
        for name in (f"bom-{made['specVersion']}", "spdx", "jsf-0.82")
    ]
    schema, *others = (json.loads((SCHEMAS / file).read_text()) for file in files)
    registry = jsonschema_rs.Registry(
        [
            (urljoin(schema["$id"], file), other)
            for file, other in zip(files[1:], others, strict=True)
        ]
    )
    jsonschema_rs.validator_for(schema, registry=registry).validate(made)


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The bill of this environment."""
    return bill(Path(sys.executable))


def components(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {canonicalize_name(one["name"]): one for one in made["components"]}


def test_it_is_valid(made: dict[str, Any]) -> None:
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    validate(made)


def test_what_is_not_valid_is_refused(made: dict[str, Any]) -> None:
    wrong = [{**made["components"][0], "licenses": [{"license": {"id": "Mine-1.0"}}]}]
    with pytest.raises(jsonschema_rs.ValidationError):
        validate({**made, "components": wrong})


def test_it_has_all_that_is_installed(made: dict[str, Any]) -> None:
    # Where packages are installed, and not wherever tests have looked for modules since.
    here = [sysconfig.get_path("purelib")]
    named: dict[str, str] = {
        canonicalize_name(one.metadata["Name"]): one.version for one in distributions(path=here)
    }
    # Handful itself is what it is a bill of.
    root = made["metadata"]["component"]
    assert (root["name"], root["version"]) == ("handful", named.pop("handful"))
    assert {name: one["version"] for name, one in components(made).items()} == named
    assert components(made)["torch"]["purl"] == f"pkg:pypi/torch@{version('torch')}"
    needs = {one["ref"]: one.get("dependsOn", []) for one in made["dependencies"]}
    torch = components(made)["torch"]["bom-ref"]
    assert components(made)["sympy"]["bom-ref"] in needs[torch]


def test_each_package_has_the_hashes_of_the_lock_files(made: dict[str, Any]) -> None:
    there = {
        name: set(re.findall("sha256:([0-9a-f]{64})", entry))
        for file in LOCKS.glob("*.txt")
        for name, entry in entries(file.read_text()).items()
    }
    assert not set(OWN) & there.keys()
    for name, one in components(made).items():
        references = one.get("externalReferences", [])
        found = {it["content"] for ref in references for it in ref.get("hashes", [])}
        assert found == there.get(name, set()), name


def test_nearly_each_package_has_a_licence(made: dict[str, Any]) -> None:
    without = [name for name, one in components(made).items() if not one.get("licenses")]
    assert len(without) < 0.05 * len(components(made)), without
    assert "torch" not in without


def test_it_tells_nothing_of_the_machine(made: dict[str, Any]) -> None:
    assert str(ROOT) not in json.dumps(made)


@pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm")
def test_that_of_the_studio_is_valid() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "sbom"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    [command] = re.findall(r"npm sbom [^>]+", done.stdout)
    told = subprocess.run(
        command.split(), cwd=ROOT / "studio", capture_output=True, text=True, check=True
    )
    made = json.loads(told.stdout)
    validate(made)
    packages = components(made)
    asked = json.loads((ROOT / "studio" / "package.json").read_text())["dependencies"]
    assert asked.keys() <= {one["name"] for one in made["components"]}
    assert packages["preact"]["version"] == asked["preact"]
    assert all(one["hashes"] for one in made["components"])
