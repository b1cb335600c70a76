"""Mutated image files of every format, through the decoder and the framing, in bounded processes.

    python -m tests.campaigns.images --count 100000 --seed 0 [--processes 2] [--keep FOLDER]

Originals are made here (one HEIC comes with the tests). Bits are turned, fields get values that
hurt, pieces are cut out, doubled, moved between files, and ends are lost. Every mutated file is
decoded as the service does it, with a limit of a million pixels. What is counted:

- taken, or refused with which problem;
- errors: exceptions that are no problem documents;
- hangs: more than two seconds of processor time;
- memory: the process grew by more than `MEMORY` beyond what it had;
- crashes: the process ended by a signal, or was killed after a minute without progress.

The same count and seed give the same files. Ends with status 1 if there was any of the last four.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import multiprocessing.connection
import random
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from fastapi_problem.error import StatusProblem
from open_clip.transform import PreprocessCfg, image_transform_v2

from adapters.backbones.framing import Framing
from service.images.decoding import decode
from tests import odd_pictures as odd
from tests import profiles
from tests.odd_pictures import encoded, kinds, scene

SECONDS = 2.0
MEMORY = 256 * 2**20
PIXELS = 1_000_000
SIDE = 64

_PATIENCE = 60.0
_FAILURES = ("error", "hang", "memory", "crash")
_HEIC = Path(__file__).parents[1] / "service" / "files" / "scene.heic"
_VALUES = (0, 1, 2, 3, 4, 7, 8, 16, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31)


@cache
def originals() -> tuple[tuple[str, bytes], ...]:
    """Small files of all kinds, by name."""
    image = scene((48, 32))
    files = {
        name: make()
        for name, make in kinds(image).items()
        if not any(word in name for word in ("128 MB", "3000", "5000", "20 000", "90 000", "cut"))
    }
    grey = np.asarray(image.convert("L"))
    icc = profiles.of_rgb(profiles.P3)
    files |= {
        "HEIC": _HEIC.read_bytes(),
        "PNG, wide gamut": encoded(image, icc_profile=icc),
        "JPEG, wide gamut": encoded(image, "JPEG", icc_profile=icc),
        "JPEG, inks": encoded(image.convert("CMYK"), "JPEG", icc_profile=profiles.of_cmyk()),
        "WebP, wide gamut": encoded(image, "WEBP", icc_profile=icc),
        "WebP, lossless": encoded(image, "WEBP", lossless=True),
        "TIFF, signed": odd.tiff(
            grey.astype("<i2").tobytes(), 48, 32, tags={258: (3, [16]), 339: (3, [2])}
        ),
        "TIFF, big": odd.tiff(grey.tobytes(), 48, 32, big=True, rows=5),
        "TIFF, deflate": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "TIFF, fax": encoded(image.convert("1"), "TIFF", compression="group4"),
        "TIFF, packed bits": encoded(image, "TIFF", compression="packbits"),
        "TIFF, palette": encoded(image.quantize(16), "TIFF"),
        "PPM, plain": odd.plain_ppm(scene((12, 8))),
        "PGM, plain": b"P2 3 2 255 1 2 3 4 5 6\n",
        "PBM, plain": b"P1 3 2 1 0 1\n0 1 0\n",
    }
    return tuple(sorted(files.items()))


def mutated(seed: int, number: int) -> tuple[str, bytes]:
    """Name of the original, and what became of it."""
    rng = random.Random(f"{seed} {number}")
    name, original = rng.choice(originals())
    content = bytearray(original)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8, 20))):
        _mutate(content, rng)
    return name, bytes(content)


def _mutate(content: bytearray, rng: random.Random) -> None:
    if len(content) < 16:
        content += rng.randbytes(16)
    # Headers are where damage leads furthest.
    near = min(len(content), rng.choice((64, 256, 1024, len(content))))
    at = rng.randrange(near) if rng.random() < 0.9 else len(content) - 1 - rng.randrange(near)
    what = rng.randrange(8)
    if what == 0:
        content[at] ^= 1 << rng.randrange(8)
    elif what == 1:
        content[at] = rng.choice((0, 1, 2, 127, 128, 254, 255, rng.randrange(256)))
    elif what in (2, 3):
        value = rng.choice(_VALUES) if rng.random() < 0.8 else rng.randrange(2**32)
        layout = rng.choice((">I", "<I", ">H", "<H"))
        packed = struct.pack(layout, value % (2**16 if layout[1] == "H" else 2**32))
        content[at : at + len(packed)] = packed
    elif what == 4:
        length = rng.randrange(1, 64)
        content[at : at + length] = content[at : at + length] * rng.choice((2, 3, 50))
    elif what == 5:
        del content[at : at + rng.randrange(1, 64)]
    elif what == 6:
        _, other = rng.choice(originals())
        start = rng.randrange(len(other))
        length = rng.randrange(1, 200)
        content[at : at + rng.choice((0, length))] = other[start : start + length]
    elif rng.random() < 0.5:
        del content[at:]
    else:
        content[at : at + rng.randrange(1, 32)] = rng.randbytes(rng.randrange(1, 32))


@cache
def _framing() -> Framing:
    return Framing(image_transform_v2(PreprocessCfg(size=SIDE), is_train=False))


def outcome(content: bytes) -> str:
    """What the service makes of a file: taken, a problem's type, or an error."""
    try:
        decoded = decode(content, PIXELS, side=SIDE)
        if decoded.pixels.mode != "RGB" or decoded.width * decoded.height > PIXELS:
            return "error: no RGB picture within the limit"
        if _framing()(decoded.pixels).shape != (SIDE, SIDE, 3):
            return "error: not framed"
    except StatusProblem as problem:
        return str(problem.type_) if problem.detail else "error: nothing is told"
    except Exception as error:
        return f"error: {error!r}"
    return "taken"


@dataclass
class Counts:
    """What was counted, by the originals' formats.

    Attributes:
        by_format: Outcomes of each.
        failures: Number and what happened.
        slowest: Seconds of processor time, and the number of the file.
    """

    by_format: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)

    def add(self, number: int, name: str, told: str, seconds: float, grown: int) -> None:
        """Count a file."""
        kept = told.split(":", 1)[0]
        if seconds > SECONDS:
            kept, told = "hang", f"hang: {seconds:.1f} s"
        elif grown > MEMORY:
            kept, told = "memory", f"memory: {grown >> 20} MiB"
        self.by_format.setdefault(name.split(",")[0], Counter())[kept] += 1
        if kept in _FAILURES:
            self.failures.append((number, f"{name}: {told}"))
        self.slowest = max(self.slowest, (seconds, number))


def _work(seed: int, numbers: Sequence[int], sending: Connection) -> None:
    faulthandler.enable()
    # Whatever asks for more than this is told that there is none.
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**32, size + 2**32))
    outcome(encoded(scene((8, 8))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        name, content = mutated(seed, number)
        start = time.process_time()
        told = outcome(content)
        seconds = time.process_time() - start
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sending.send((number, name, told, seconds, (after - before) * 1024))
        before = max(before, after)


def campaign(count: int, seed: int, processes: int = 1) -> Counts:
    """Decode so many mutated files; a process that dies is replaced, and the next file is taken."""
    counts = Counts()
    shares = [range(first, count, processes) for first in range(processes)]
    context = multiprocessing.get_context("fork")
    originals(), _framing()
    running = {}

    def start(numbers: range) -> None:
        receiving, sending = context.Pipe(duplex=False)
        child = context.Process(target=_work, args=(seed, numbers, sending))
        child.start()
        sending.close()
        running[receiving] = (child, numbers, time.monotonic())

    for share in shares:
        start(share)
    while running:
        for receiving in multiprocessing.connection.wait(list(running), timeout=1):
            child, numbers, _ = running[receiving]
            try:
                answer = receiving.recv()
            except EOFError:
                del running[receiving]
                child.join()
                if numbers:
                    name, _ = mutated(seed, numbers[0])
                    counts.add(numbers[0], name, f"crash: status {child.exitcode}", 0, 0)
                    if numbers[1:]:
                        start(numbers[1:])
                continue
            counts.add(*answer)
            running[receiving] = (child, numbers[1:], time.monotonic())
        for child, _, since in list(running.values()):
            if time.monotonic() - since > _PATIENCE:
                child.kill()
    return counts


def main() -> None:
    """Run it and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="Folder for files that failed.")
    arguments = parser.parse_args()
    counts = campaign(arguments.count, arguments.seed, arguments.processes)
    total: Counter[str] = Counter()
    for name, told in sorted(counts.by_format.items()):
        print(f"{name:6}", ", ".join(f"{what} {n}" for what, n in sorted(told.items())))
        total += told
    print(f"{'all':6}", ", ".join(f"{what} {n}" for what, n in sorted(total.items())))
    print("; ".join(f"{what}: {total[what]}" for what in _FAILURES))
    print(f"slowest: {counts.slowest[0]:.2f} s of processor time, file {counts.slowest[1]}")
    for number, why in counts.failures[:50]:
        print(number, why)
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            (arguments.keep / str(number)).write_bytes(mutated(arguments.seed, number)[1])
    sys.exit(bool(counts.failures))


if __name__ == "__main__":
    main()
