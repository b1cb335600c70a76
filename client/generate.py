"""Make what is made of something else: the models of the API's document, the synchronous client.

make client                                 # or python client/generate.py
python client/generate.py --check           # exit status 1, and which files are not up to date
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datamodel_code_generator as generator
import unasync
from datamodel_code_generator.enums import DataModelType

from service.api.app import create_app
from service.settings import Settings

PACKAGE = Path(__file__).parent / "handful_client"
MODELS = Path("models.py")
# By hand on either side.
BY_HAND = {"__init__.py", "concurrency.py"}
HEADER = '"""Models of the API, made of its OpenAPI document by `make client`."""'
SYNCHRONOUS = {
    "AsyncAdministration": "Administration",
    "AsyncClasses": "Classes",
    "AsyncClassifier": "Classifier",
    "AsyncClient": "Client",
    "AsyncEmbedder": "Embedder",
    "AsyncFileBody": "FileBody",
    "AsyncImages": "Images",
    "AsyncJob": "Job",
    "AsyncLabelled": "Labelled",
    "AsyncMany": "Many",
    "AsyncNamed": "Named",
    "AsyncHistory": "History",
    "AsyncInbox": "Inbox",
    "AsyncPredicting": "Predicting",
    "AsyncPrompts": "Prompts",
    "AsyncRegistering": "Registering",
    "AsyncReshaping": "Reshaping",
    "AsyncSimilar": "Similar",
    "AsyncStartingJobs": "StartingJobs",
    "AsyncTransport": "Transport",
    "_async": "_sync",
    "aclose": "close",
    "aiter_bytes": "iter_bytes",
    "aread": "read",
}
# What schemas say to those who check; a client takes what comes.
_CHECKS = {
    "default", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "maxItems",
    "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minimum", "not", "pattern",
    "propertyNames", "title",
}  # fmt: skip

Document = dict[str, Any]


def main() -> int:
    """Write the files, or say which are not up to date."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing")
    check = options.parse_args().check
    with TemporaryDirectory(prefix="handful-client-") as folder:
        made = Path(folder) / PACKAGE.name
        shutil.copytree(PACKAGE, made, ignore=shutil.ignore_patterns("__pycache__"))
        files = [MODELS, *synchronous()]
        write_models(made / MODELS)
        write_synchronous(made)
        format_files([made / file for file in files])
        stale = [file for file in files if not same(made / file, PACKAGE / file)]
        if not check:
            for file in stale:
                shutil.copyfile(made / file, PACKAGE / file)
    if check and stale:
        print(f"not up to date: {', '.join(map(str, stale))}. Make them with: make client")  # noqa: T201
        return 1
    return 0


def synchronous() -> list[Path]:
    """The modules of the synchronous client that are made, by their paths in the package."""
    names = sorted(path.name for path in (PACKAGE / "_async").glob("*.py"))
    return [Path("_sync") / name for name in names if name not in BY_HAND]


def write_models(file: Path) -> None:
    """Write the models of all JSON that the API takes and answers."""
    # With what a service has only where it is asked to.
    document = create_app(Settings(fetch_from=["images.example"])).openapi()
    generator.generate(
        json.dumps(reduced(document)),
        config=generator.GenerateConfig(
            input_file_type=generator.InputFileType.OpenAPI,
            output=file,
            output_model_type=DataModelType.PydanticV2BaseModel,
            target_python_version=generator.PythonVersion.PY_311,
            base_class="handful_client.model.Model",
            custom_file_header=HEADER,
            enum_field_as_literal=generator.LiteralType.All,
            formatters=[],
            use_annotated=False,
            use_field_description=True,
            use_schema_description=True,
            strict_nullable=True,
        ),
    )


def reduced(document: Document) -> Document:
    """The schemas of what is sent and answered as JSON, without what only a service checks.

    A value that an enumeration of an answer does not have is taken as well: a newer service has
    more of them.
    """
    schemas: Document = document["components"]["schemas"]
    named = {name: schema for name, schema in schemas.items() if not name.startswith("Problem")}
    used = set(_references(document["paths"], named))
    kept = {
        name: _plain(named[name], answer=not name.endswith("In")) for name in named if name in used
    }
    return {
        "openapi": document["openapi"],
        "info": document["info"],
        "paths": {},
        "components": {"schemas": kept},
    }


def _references(paths: Document, schemas: Document) -> Iterator[str]:
    """Names of the schemas that bodies consist of."""
    waiting: list[Any] = [
        part
        for item in paths.values()
        for operation in item.values()
        if isinstance(operation, dict)
        for part in (operation.get("requestBody"), operation.get("responses"))
    ]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
            name = str(one.get("$ref", "")).rpartition("/")[2]
            if name in schemas and name not in seen:
                seen.add(name)
                waiting.append(schemas[name])
                yield name


def _plain(schema: Any, *, answer: bool) -> Any:
    if isinstance(schema, list):
        return [_plain(one, answer=answer) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        name: {key: _plain(one, answer=answer) for key, one in value.items()}
        if name == "properties"
        else _plain(value, answer=answer)
        for name, value in schema.items()
        if name not in _CHECKS or (name == "format" and value == "date-time")
    }
    if "patternProperties" in plain:
        [plain["additionalProperties"]] = plain.pop("patternProperties").values()
    if answer and "enum" in plain:
        open_ended = {"anyOf": [{key: plain[key] for key in ("type", "enum")}, {"type": "string"}]}
        return {key: one for key, one in plain.items() if key not in {"type", "enum"}} | open_ended
    return plain


def write_synchronous(package: Path) -> None:
    """Write the synchronous modules beside the asynchronous ones."""
    rule = unasync.Rule("/_async/", "/_sync/", SYNCHRONOUS)
    sources = [str(package / "_async" / file.name) for file in synchronous()]
    unasync.unasync_files(sources, [rule])


def format_files(files: list[Path]) -> None:
    """Sort imports and format, as the repository has it."""
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--quiet", "--config", str(PACKAGE.parents[1] / "pyproject.toml"), "--no-cache"]
    named = list(map(str, files))
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        subprocess.run([*ruff, *command, *settings, *named], check=True)  # noqa: S603 - ruff, of this environment


def same(one: Path, other: Path) -> bool:
    """Whether both are there and have the same bytes."""
    return other.is_file() and one.read_bytes() == other.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
