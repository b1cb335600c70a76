# ruff: noqa: E501 - tables
"""Mutated zips and forms over a real socket: no 5xx, no hang, and the service stays as it is.

    python -m tests.campaigns.uploads --count 10000 --seed 0

Prints how many requests had which answer, the slowest of them, and the memory before and after.
"""

from __future__ import annotations

import argparse
import io
import random
import signal
import struct
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import httpx2 as httpx
import psutil

from tests.service.pictures import encoded, noise, zipped
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

# Seconds; a request that takes longer counts as a hang.
PATIENCE = 30.0
_AT_ONCE = 4
_LIMITS = {"max_image_bytes": 100_000, "max_unpacked_bytes": 500_000, "max_images_per_request": 50}


@dataclass
class Outcome:
    """What came of a campaign."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def note(self, kind: str, seed: str, answer: httpx.Response | Exception, took: float) -> None:
        status = answer.status_code if isinstance(answer, httpx.Response) else 0
        self.answers[f"{kind} {status or type(answer).__name__}"] += 1
        self.slowest = max(self.slowest, took)
        known = isinstance(answer, httpx.Response) and (
            status == 201
            or (400 <= status < 500 and answer.json()["type"] and answer.json()["detail"])
            or (status == 503 and "retry-after" in answer.headers)  # sent too quickly
        )
        if not known or took > PATIENCE:
            told = answer.text[:300] if isinstance(answer, httpx.Response) else repr(answer)
            self.failures.append(f"{seed}: {status} after {took:.1f} s: {told}")


def images() -> list[bytes]:
    kinds = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
    return [encoded(noise(i, (12, 10)), kind) for i, kind in enumerate(kinds)]


IMAGES = images()
warnings.filterwarnings("ignore", "Duplicate name", UserWarning)  # twice the same is wanted too
FOLDERS = ["cat", "dog", "森林", "Ku\u0308ste", ".net", "train", "images", "a\u200db", "..", "@eaDir", "",
           "\u202e", "x" * 300, "C:", "a\\b", "表", "🏴", "\0", "con", "~$x", "%2F", "=?utf-8?B?w4Rw?="]  # fmt: skip
FILES = [
    "1.jpg",
    "2.PNG",
    "3",
    "Icon\r",
    "desktop.ini",
    "README",
    "a.zip",
    "a\0.jpg",
    "\x85",
    "%00.png",
]


def named(rng: random.Random, *, tidy: bool) -> str:
    if tidy:
        return f"{rng.choice(FOLDERS[:5])}/{rng.choice(FILES[:3])}"
    weights = [8, 8] + [1] * (len(FOLDERS) - 2)
    folders = rng.choices(FOLDERS, weights, k=rng.choice((1, 1, 1, 2, 3)))
    return "/".join([*folders, rng.choice(FILES[:3] if rng.random() < 0.7 else FILES)])


def a_zip(rng: random.Random) -> bytes:
    """A whole archive, of any kind that there is."""
    buffer = io.BytesIO()
    method, tidy = rng.choice((0, 8, 8, 8, 8, 12, 14)), rng.random() < 0.7
    with zipfile.ZipFile(buffer, "w", method) as made:
        for _ in range(rng.choice((0, 1, 2, 3, 8, 60))):
            content = (
                rng.choice(IMAGES) if rng.random() < 0.98 else rng.randbytes(rng.randrange(300))
            )
            if rng.random() < 0.01:
                content = bytes(rng.choice((99_999, 100_001, 600_000)))
            info = zipfile.ZipInfo(rng.choice(FOLDERS[:4]) + "/1.jpg")
            info.filename = named(rng, tidy=tidy)
            info.compress_type = method
            if rng.random() < 0.1:
                info.extra = struct.pack(
                    "<HHBI", 0x7075, rng.choice((5, 9, 60000)), 1, rng.getrandbits(32)
                )
            made.writestr(info, content)
    return buffer.getvalue()


def mutated(rng: random.Random, content: bytes, places: list[int]) -> bytes:
    """Some bytes changed, a piece cut out or doubled, the end lost; headers more often."""
    changed = bytearray(content)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 4, 12))):
        if not changed:
            break
        at = (
            rng.choice(places) + rng.randrange(48)
            if places and rng.random() < 0.7
            else rng.randrange(len(changed))
        )
        changed[min(at, len(changed) - 1)] = rng.choice(
            (0, 1, 8, 0x80, 0xFF, 13, 10, 34, 92, rng.randrange(256))
        )
    if changed and rng.random() < 0.2:
        at, length = rng.randrange(len(changed)), rng.randrange(1, 80)
        changed[at : at + length] = changed[at : at + length] * rng.choice((0, 2, 3))
    if changed and rng.random() < 0.1:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def places(content: bytes, *marks: bytes) -> list[int]:
    found = []
    for mark in marks:
        at = content.find(mark)
        while at >= 0:
            found.append(at)
            at = content.find(mark, at + 1)
    return found


def bad_zip(rng: random.Random) -> bytes:
    content = a_zip(rng)
    return mutated(rng, content, places(content, b"PK\1\2", b"PK\3\4", b"PK\5\6"))


PARAMETERS: list[Callable[[bytes], bytes]] = [
    lambda name: b'filename="' + name + b'"',
    lambda name: b"filename=" + name,
    lambda name: b"filename*=UTF-8''" + name.replace(b"\xe6", b"%E6"),
    lambda name: b'filename="x.jpg"; filename*=' + name,
    lambda name: b'filename="=?utf-8?B?' + name + b'?="',
    lambda name: b'filename="=?utf-8?Q?' + name + b'?="',
    lambda name: b'filename="' + name.replace(b"/", b"%2F") + b'"',
    lambda name: b"",
    lambda name: b'filename=""',
]
TYPES = [
    b"image/jpeg",
    b"application/octet-stream",
    b"application/zip",
    b"text/plain",
    b"",
    b"image/",
]
TRANSFERS = [b"base64", b"quoted-printable", b"binary", b"x"]


def bad_form(rng: random.Random) -> bytes:
    parts, tidy = [], rng.random() < 0.7
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        name = named(rng, tidy=tidy).encode(
            rng.choice(("utf-8", "utf-8", "gb18030", "cp932")), "replace"
        )
        head = b'Content-Disposition: form-data; name="f"; ' + rng.choice(PARAMETERS)(name)
        if rng.random() < 0.8:
            head += b"\r\nContent-Type: " + rng.choice(TYPES)
        if rng.random() < 0.1:
            head += b"\r\nContent-Transfer-Encoding: " + rng.choice(TRANSFERS)
        content = rng.choice(IMAGES) if rng.random() < 0.8 else a_zip(rng)
        parts.append(b"--X\r\n" + head + b"\r\n\r\n" + content + b"\r\n")
    whole = b"".join(parts) + b"--X--\r\n"
    return mutated(rng, whole, places(whole, b"--X", b"filename")) if rng.random() < 0.7 else whole


FORM = "multipart/form-data; boundary=X"
KINDS: dict[str, tuple[Callable[[random.Random], bytes], str]] = {
    "zip": (bad_zip, "application/zip"),
    "form": (bad_form, FORM),
}


def attack(server: Server, count: int, seed: int, at_once: int = _AT_ONCE) -> Outcome:
    """Send so many requests, half of each kind; each is decided by the seed and its number."""
    outcome = Outcome()
    with server.client() as http:
        assert http.put("/v1/classifiers/fuzz", json={}).status_code in {200, 201}

        def one(number: int) -> None:
            rng = random.Random(f"{seed}/{number}")
            kind = list(KINDS)[number % 2]
            make, media_type = KINDS[kind]
            where = (
                "support"
                if kind == "zip"
                else rng.choice(("support", "support", "classes/cat/images"))
            )
            query = (
                "?filename_encoding=gb18030" if where == "support" and rng.random() < 0.1 else ""
            )
            begun = perf_counter()
            answer: httpx.Response | Exception
            try:
                answer = http.post(
                    f"/v1/classifiers/fuzz/{where}{query}",
                    content=make(rng),
                    headers={"content-type": media_type},
                    timeout=2 * PATIENCE,
                )
            except httpx.HTTPError as error:
                answer = error
            outcome.note(kind, f"{seed}/{number}", answer, perf_counter() - begun)
            if number % 200 == 199:  # lest tuning takes longer and longer
                http.delete("/v1/classifiers/fuzz/classes/dog")
                http.delete("/v1/classifiers/fuzz/classes/cat")

        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(one, range(count)))
        # It serves on.
        good = zipped({"ant/1.png": IMAGES[0], "bee/1.png": IMAGES[1]})
        answer = http.post(
            "/v1/classifiers/fuzz/support",
            content=good,
            headers={"content-type": "application/zip"},
        )
        if answer.status_code != 201:
            outcome.failures.append(f"afterwards: {answer.status_code} {answer.text[:300]}")
    if (tracebacks := server.log.read_text().count("Traceback")) > 0:
        outcome.failures.append(f"{tracebacks} tracebacks in {server.log}")
    return outcome


def _memory(server: Server) -> float:
    return psutil.Process(server.process.pid).memory_info().rss / 2**20


def _lines(outcome: Outcome) -> Iterator[str]:
    for kind, number in sorted(outcome.answers.items()):
        yield f"{kind}: {number}"
    yield f"slowest answer: {outcome.slowest:.2f} s"
    yield f"failures: {len(outcome.failures)}"
    yield from outcome.failures[:20]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vit = Path(folder) / "vit"
        vit.mkdir()
        backbone = f"local-dir:{write_tiny_vit(vit)}"
        with Server.ready(Path(folder) / "data", backbone=backbone, **_LIMITS) as server:
            attack(server, 200, given.seed + 1)  # whatever is loaded at first is loaded
            before = _memory(server)
            outcome = attack(server, given.count, given.seed)
            print(*_lines(outcome), sep="\n")
            print(f"memory: {before:.0f} MiB, afterwards {_memory(server):.0f} MiB")
            status = server.stop()
    print(f"exit status of the service: {status}")
    raise SystemExit(bool(outcome.failures) or status not in {0, -signal.SIGTERM})


if __name__ == "__main__":
    main()
