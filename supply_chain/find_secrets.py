"""Scanner of secrets: what looks like one in the files of the repository.

python -m supply_chain.find_secrets               # all files, as make lint does
python -m supply_chain.find_secrets FILE [...]    # these

Detectors are those of detect-secrets, and two beside them. Its own command takes a minute and a
half of a processor for what this takes seconds for, as a detector here sees only those lines that
its patterns are in.
Exit status: 1, there is something that is not known to be no secret.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters import heuristic
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString
from detect_secrets.plugins.keyword import DENYLIST, KeywordDetector

from supply_chain.lock import ROOT

# Digests and addresses are no secrets and stand in many files; IBM's clouds, whose patterns take
# half of the time, are none that Handful speaks to.
_LEFT_OUT = {
    *("HexHighEntropyString", "IPPublicDetector"),
    *("CloudantDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "SoftlayerDetector"),
}
#: Patterns of files that are made of others, and hold hashes.
LEFT_OUT_FILES = r"requirements/.*\.txt|studio/package-lock\.json|service/studio/built/.*"
#: What looks like a secret and is none: patterns of files, of what stands there, and the reason.
NO_SECRETS: tuple[tuple[str, str, str], ...] = (
    (".*", "KEY|PASSWORD|password|secret", "words that stand for one"),
    (
        r"service/api/schemas/(keys|sessions)\.py",
        "handful_9f2c41d07ab35e86_THE-SECRET.*",
        "the key of examples in the OpenAPI document",
    ),
    (r"service/images/base64_text\.py", "ABCDEFGHIJKLMNOPQ.*", "the alphabet of base64"),
    (r"adapters/heads/(__init__|ape)\.py", "[ ]APE(PlusPlus|Parameters)", "names of a head"),
    (r"supply_chain/find_secrets\.py", "Handful Key|Hex Token", "names of kinds of them"),
    (r"deploy/helm/.*|tests/deploy/.*", "key|handful-[a-z]+", "names of Kubernetes' Secrets"),
    (r"tests/deploy/test_compose\.py", "HANDFUL_DATABASE_URL", "the name of a variable"),
    (
        r"tests/.*",
        "wrong|mine|geheim|pa55|p%40ss|handful-test|ann@example.com|hf_secret_of_somebody"
        "|https://user:password@images.example.com/a.png",
        "made up for a test, and let in nowhere",
    ),
    (
        r"tests/service/files/images\.example\.com\.pem",
        "BEGIN PRIVATE .*",
        "of a server of tests, under a name that nobody can have",
    ),
    (
        r"tests/campaigns/requests/dictionary\.py",
        r"eyJhbGciOiJub25lIi[\w.]*",
        "a token without a signature, which a campaign sends",
    ),
)
_MENDED = """\
A secret that was committed is known: revoke it first, then take it out. What is none gets a pattern
and a reason in supply_chain/find_secrets.py."""


class HandfulKeyDetector(RegexBasedDetector):
    """Keys of Handful, as service/access/key_text.py makes them."""

    secret_type = "Handful Key"  # noqa: S105 - the name of a kind
    denylist = (re.compile(r"handful_[0-9a-f]{16}_[A-Za-z0-9_-]{43}"),)


class HexTokenDetector(RegexBasedDetector):
    """Tokens of hexadecimal digits, as Label Studio's are, where a word says that they are one."""

    secret_type = "Hex Token"  # noqa: S105 - the name of a kind
    denylist = (re.compile(r"token['\"]?\s*[:=\s]\s*['\"]?([0-9a-f]{32,})", re.IGNORECASE),)


def _detectors() -> list[tuple[BasePlugin, list[re.Pattern[str]]]]:
    """Detectors, each with patterns of which one is in each line that it finds something in."""
    found: list[tuple[BasePlugin, list[re.Pattern[str]]]] = []
    kinds: Mapping[str, type[BasePlugin]] = get_mapping_from_secret_type_to_class()
    ours: tuple[type[BasePlugin], ...] = (HandfulKeyDetector, HexTokenDetector)
    for kind in (*kinds.values(), *ours):
        if kind.__name__ in _LEFT_OUT:
            continue
        detector = kind()
        if isinstance(detector, KeywordDetector):
            patterns = [re.compile("|".join(DENYLIST), re.IGNORECASE)]
        elif isinstance(detector, Base64HighEntropyString):
            patterns = [re.compile(r"['\"][A-Za-z0-9+/=_-]{20}")]  # of less, entropy is low
        elif isinstance(detector, RegexBasedDetector):
            patterns = list(detector.denylist)
        else:
            patterns = [re.compile("^", re.MULTILINE)]
        found.append((detector, patterns))
    return found


def _is_none(file: str, secret: str) -> bool:
    """Whether it is known to be no secret."""
    if any(re.fullmatch(files, file) and re.fullmatch(it, secret) for files, it, _ in NO_SECRETS):
        return True
    return (
        heuristic.is_sequential_string(secret)
        or heuristic.is_potential_uuid(secret)
        or heuristic.is_templated_secret(secret)
        or heuristic.is_prefixed_with_dollar_sign(secret)
        or heuristic.is_not_alphanumeric_string(secret)
    )


def suspicions(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Lines on what looks like a secret in files, given as names and texts."""
    detectors = _detectors()
    for file, text in texts:
        lines = text.split("\n")
        # Values are without quotes in files of variables, whose names tell detectors nothing.
        read_as = f"{file}.ini" if ".env" in PurePath(file).name else file
        for detector, patterns in detectors:
            # A pattern may begin with the end of the line before, or end with that of its own.
            ends = {end for it in patterns for found in it.finditer(text) for end in found.span()}
            for number in sorted({text.count("\n", 0, end) for end in ends}):
                line = lines[number]
                for found in detector.analyze_line(filename=read_as, line=line, line_number=number):
                    if not _is_none(file, found.secret_value or ""):
                        yield f"{file}:{number + 1}: {found.type}"


def _texts(files: Iterable[str]) -> Iterator[tuple[str, str]]:
    for file in files:
        path = ROOT / file
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" not in content[:8192]:
            yield file, content.decode(errors="replace")


def main() -> int:
    """Look; say what was found."""
    files = sys.argv[1:]
    if not files:
        command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - no word of it is anybody's
        files = listed.stdout.rstrip("\0").split("\0")
    files = [file for file in files if not re.fullmatch(LEFT_OUT_FILES, file)]
    found = list(suspicions(_texts(files)))
    for one in found:
        print(one)
    if found:
        print(_MENDED)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
