"""The client's wheel in an empty environment: what its README promises whoever installs it.

    python -m tests.campaigns.client

Builds the wheel, installs it with what it needs and nothing else, and runs the quick start of its
README there, against a service with the default backbone. Needs the package registry; the tests of
``tests/client`` do without.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.service.pictures import patches
from tests.service.server import Server

CLIENT = Path(__file__).parents[2] / "client"
EXPECTED = {
    "annotated-types", "anyio", "h11", "handful-client", "httpcore2", "httpx2", "idna", "pip",
    "pydantic", "pydantic_core", "setuptools", "truststore", "typing-inspection",
    "typing_extensions",
}  # fmt: skip


def main() -> None:
    with TemporaryDirectory(prefix="handful-client-") as place:
        folder = Path(place)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        wheels = folder / "wheels"
        subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, CLIENT], check=True)
        [wheel] = wheels.iterdir()
        venv.create(folder / "venv", with_pip=True)
        python = str(folder / "venv" / "bin" / "python")
        own = [python, "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*own, "install", "--quiet", wheel], check=True)
        listed = subprocess.run(
            [*own, "list", "--format", "json"], check=True, capture_output=True, text=True
        )
        installed = {one["name"] for one in json.loads(listed.stdout)}
        assert installed <= EXPECTED, installed - EXPECTED
        readme = (CLIENT / "README.md").read_text("utf-8")
        example = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
        images = {"query.jpg": patches("grass")[9], "photos/grass/1.jpg": patches("grass")[0]}
        images |= {f"brick-{i}.jpg": patches("brick")[i] for i in (1, 2)}
        for name, content in images.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        with Server.installed(folder / "data") as service:
            source = example.replace("http://localhost:8000", service.url)
            done = subprocess.run(
                [python, "-I", "-c", source], cwd=folder, check=True, capture_output=True, text=True
            )
            service.stop()
        assert done.stdout.startswith("grass "), done.stdout
        print(f"{wheel.name} with {', '.join(sorted(installed))}: {done.stdout.strip()}")


if __name__ == "__main__":
    main()
