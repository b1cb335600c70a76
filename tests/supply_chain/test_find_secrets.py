"""The scanner of secrets finds them, and takes for none only what is said to be none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from service.access.key_text import new_key
from supply_chain.find_secrets import LEFT_OUT_FILES, NO_SECRETS, suspicions
from supply_chain.lock import ROOT

# In pieces, or they would be found here.
SECRETS = {
    "AWS Access Key": "id = " + "AKIA" + "IOSFODNN7EXAMPLQ",
    "GitHub Token": "token: " + "ghp_" + "wWPw5k4aXcaT4fNP0U" + "cnZwJUVFk6LO0pINUx",
    "PyPI Token": "pypi-" + "AgEIcHlwaS5vcmc" + "a" * 80,
    "Private Key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "JSON Web Token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N",
    "Secret Keyword": "pass" + "word = 'correct-horse-battery-staple'",
    "Basic Auth Credentials": "postgresql://handful:" + "Tr0ub4dor" + "@db.example.com/handful",
    "Base64 High Entropy String": "x = '" + "b3BlbiBzZXNhbWUhIFRoaXMgaXMg" + "YSBzZWNyZXQ/9xQ='",
    "Handful Key": f"X-API-Key: {new_key().text}",
    "Hex Token": "LABEL_STUDIO_TOKEN=" + "3f9a1c5e7b" * 5,
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "text",
    [
        *("{}", "first\n{}\nlast\n", "\n\n{}"),
        *('x = f("""{}""")', "\nclient = Github(user, token='{}')", 'x = there["{}"]'),
    ],
)
def test_secrets_are_found_wherever_they_stand(kind: str, text: str) -> None:
    line = text.partition("{}")[0].count("\n") + 1
    for file in ("service/settings.py", "docs/api.md", "tests/test_it.py", "deploy/values.yaml"):
        found = list(suspicions([(file, text.format(SECRETS[kind]))]))
        assert f"{file}:{line}: {kind}" in found


@pytest.mark.parametrize("name", [".env", ".env.local", "deploy/label-studio.env"])
def test_variables_need_no_quotes_in_files_of_them(name: str) -> None:
    text = "HANDFUL_PORT=8000\nPOSTGRES_" + "PASSWORD=correct-horse-battery"
    assert list(suspicions([(name, text)])) == [f"{name}:2: Secret Keyword"]


def test_code_is_not_taken_for_secrets() -> None:
    code = "password = os.environ['PASSWORD']\nsecret_key: str | None = None\nkey = f'{a}-{b}'\n"
    assert not list(suspicions([("service/x.py", code)]))


def test_what_is_none_in_one_file_is_not_in_another() -> None:
    text = "pass" + "word = 'geheim'"
    assert not list(suspicions([("tests/service/test_x.py", text)]))
    assert list(suspicions([("service/x.py", text)]))


def test_the_command_fails_where_there_is_one(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(SECRETS["GitHub Token"])
    command = [sys.executable, "-m", "supply_chain.find_secrets", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{file}:1: GitHub Token" in done.stdout
    assert "revoke it" in done.stdout
    assert "ghp_" not in done.stdout


def test_each_exception_is_of_files_that_there_are() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = listed.stdout.splitlines()
    for pattern in (LEFT_OUT_FILES, *(pattern for pattern, _, _ in NO_SECRETS)):
        for part in pattern.split("|") if "(" not in pattern else [pattern]:
            assert any(re.fullmatch(part, file) for file in files), part
