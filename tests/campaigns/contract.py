"""The service against its own OpenAPI document, by schemathesis with all checks and phases.

    python -m tests.campaigns.contract --examples 200 --scenarios 100 --seed 1

Starts a service of its own (or takes ``--url``, an empty one), prints what schemathesis finds, and
how often each operation was answered with which status. Exits with 1 where a check failed: an
answer that the document does not have is named there as "Undocumented HTTP status code".

``--typescript`` also has openapi-typescript (from npm) read the document, and its result compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx

from tests.service.pictures import picture
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

_REFUSED = "400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429"
_ROOT = Path(__file__).parents[2]
_CONFIGURATION = """
[generation]
database = "none"

[phases.coverage]
enabled = {coverage}

[phases.fuzzing.generation]
max-examples = {examples}

[phases.stateful.generation]
max-examples = {scenarios}

# A precondition that is not met is no answer of schemathesis' own lists (RFC 9110, 15.5.13).
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 304, 401, 403, 404, 409, 412, 429, "5xx"]
negative_data_rejection.expected-statuses = [{refused}, 412, "5xx"]

# All checks, with the expectations of schemathesis, but for one answer of three operations: clients
# say with `Request-Timeout` how long they wait, down to nanoseconds, and 504 is what they ask for.
# Nobody but the service can know a cursor, and others are refused.
[[operations]]
include-operation-id = [
    "list_classifiers", "list_classes", "get_class", "get_confused", "list_prompts",
    "list_the_keys",
]
checks.positive_data_acceptance.expected-statuses = ["2xx", 304, 401, 403, 404, 409, 422, "5xx"]

[[operations]]
include-operation-id = ["predict", "embed", "similar"]
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 504]
"""


def run_schemathesis(
    url: str, folder: Path, *, examples: int, scenarios: int, seed: int, coverage: bool = True
) -> subprocess.CompletedProcess[str]:
    """Check a running, empty service; what it found is in the output, and the status is 1 then.

    Args:
        url: Of the service.
        folder: For files of schemathesis.
        examples: Random requests for each operation, beside those that the schema suggests.
        scenarios: Random sequences of requests that follow the links of answers.
        seed: Of both.
        coverage: Whether each bound of each parameter is tried too, which takes minutes.
    """
    with httpx.Client(base_url=url, timeout=60) as http:
        # The examples in the document speak of this one.
        http.put("/v1/classifiers/land-cover").raise_for_status()
        for label, seed_of_image in (("forest", 1), ("sea lake", 2)):
            http.post(
                f"/v1/classifiers/land-cover/classes/{label}/images",
                files={"files": picture(seed_of_image)},
            ).raise_for_status()
    configuration = folder / "schemathesis.toml"
    text = _CONFIGURATION.format(
        examples=examples,
        scenarios=scenarios,
        refused=_REFUSED,
        coverage=str(coverage).lower(),
    )
    configuration.write_text(text)
    return subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", configuration),
            *("run", f"{url}/openapi.json", "--checks", "all", "--seed", str(seed)),
            *("--continue-on-failure", "--no-color", "--request-timeout", "60"),
            *("--max-response-time", "60"),
        ],
        cwd=folder,
        env=os.environ
        | {
            "SCHEMATHESIS_HOOKS": "tests.campaigns.schemathesis_hooks",
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)]),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def answered(http: httpx.Client) -> dict[tuple[str, str], dict[str, int]]:
    """How often each route and method was answered with each class of status, by the metrics."""
    counted: dict[tuple[str, str], dict[str, int]] = {}
    for method, status, handler, count in re.findall(
        r'^http_server_request_duration_seconds_count\{http_request_method="(.*?)",'
        r'http_response_status_code="(.*?)",http_route="(.*?)"\} (\S+)$',
        http.get("/metrics").text,
        re.MULTILINE,
    ):
        of = counted.setdefault((handler, method), {})
        of[f"{status[0]}xx"] = of.get(f"{status[0]}xx", 0) + int(float(count))
    return counted


def _typescript(document: str, folder: Path) -> int:
    """Have openapi-typescript make types of the document, and TypeScript check them."""
    (folder / "openapi.json").write_text(document)
    commands = [
        ["npm", "install", "--silent", "--no-fund", "openapi-typescript@7", "typescript@5"],
        ["npx", "openapi-typescript", "openapi.json", "--output", "types.d.ts"],
        ["npx", "tsc", "--noEmit", "--strict", "types.d.ts"],
    ]
    for command in commands:
        if status := subprocess.run(command, cwd=folder, check=False).returncode:
            print(f"{' '.join(command)}: exit status {status}")
            return status
    print(f"openapi-typescript: {len((folder / 'types.d.ts').read_text().splitlines())} lines")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", help="a running, empty service; one of its own by default")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--typescript", action="store_true")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = arguments.url
        if url is None:
            (folder / "vit").mkdir()
            backbone = f"local-dir:{write_tiny_vit(folder / 'vit', 0)}"
            server = stack.enter_context(Server.ready(folder / "data", backbone=backbone))
            url = server.url
        outcome = run_schemathesis(
            url,
            folder,
            examples=arguments.examples,
            scenarios=arguments.scenarios,
            seed=arguments.seed,
        )
        print(outcome.stdout, outcome.stderr)
        with httpx.Client(base_url=url, timeout=60) as http:
            for (handler, method), statuses in sorted(answered(http).items()):
                counts = "  ".join(f"{status} {n:5}" for status, n in sorted(statuses.items()))
                print(f"{method:8}{handler:66}{counts}")
            document = json.dumps(http.get("/openapi.json").json())
        typescript = _typescript(document, folder) if arguments.typescript else 0
        return outcome.returncode or typescript


if __name__ == "__main__":
    sys.exit(main())
