"""What decoding and framing a picture of each kind costs, against an RGB PNG of as many pixels.

Every file is decoded in a process of its own, as the service does it, with the encoder's side and
without compiled models. Memory is how far the resident set grows; time is that of the
processor, the best of three runs.

    python -m benchmarks.picture_costs --size 4000 3000
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import re
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from fastapi_problem.error import StatusProblem
from open_clip.transform import PreprocessCfg, image_transform_v2

from adapters.backbones.framing import Framing
from service.images.decoding import decode
from tests.odd_pictures import encoded, flat_png, kinds, scene

SIDE = 224
MOST = 64_000_000
_MMAP_THRESHOLD = -3  # of malloc.h
FRAMING = Framing(image_transform_v2(PreprocessCfg(size=SIDE), is_train=False))


def _once(content: bytes) -> tuple[float, str]:
    start = time.process_time()
    try:
        FRAMING(decode(content, MOST, side=SIDE).pixels)
        told = "taken"
    except StatusProblem as problem:
        told = str(problem.type_)
    return time.process_time() - start, told


def _resident(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{name}:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else float("nan")


def _measure(content: bytes, answer: Connection) -> None:
    # What was freed before must not hide what is taken now.
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_THRESHOLD, 2**17)
    libc.malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    before = _resident("VmRSS")
    seconds, told = _once(content)
    memory = _resident("VmHWM") - before
    answer.send((memory, min([seconds, *(_once(content)[0] for _ in range(2))]), told))


def cost(content: bytes) -> tuple[float, float, str]:
    """MiB, seconds, and what became of the file."""
    processes = multiprocessing.get_context("fork")
    receiving, sending = processes.Pipe(duplex=False)
    child = processes.Process(target=_measure, args=(content, sending))
    child.start()
    sending.close()
    try:
        found: tuple[float, float, str] = receiving.recv()
    except EOFError:
        found = (float("nan"), float("nan"), "killed")
    child.join()
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(4000, 3000))
    parser.add_argument("--only", default="", help="Kinds whose name holds this.")
    arguments = parser.parse_args()
    width, height = arguments.size
    pixels = width * height
    files: dict[str, Callable[[], bytes]] = dict(kinds(scene((width, height))))
    files |= {
        "PNG, 1 pixel wide": lambda: flat_png(1, pixels),
        "PNG, 1 pixel high": lambda: flat_png(pixels, 1),
        "PNG, 3 pixels wide, transparent": lambda: flat_png(3, pixels // 3, colour=6),
        "PNG, 3 pixels high, transparent": lambda: flat_png(pixels // 3, 3, colour=6),
        "PNG, 16 bits, 1 pixel high": lambda: flat_png(pixels, 1, colour=0, depth=16),
    }
    print("| kind | bytes | memory, MiB | x | seconds | x | |")
    print("|---|---|---|---|---|---|---|")
    for kind in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF"):
        _once(encoded(scene((64, 64)), kind))  # loads what is loaded once
    plain, plain_seconds, _ = cost(files["PNG, RGB"]())
    for name, make in files.items():
        if arguments.only not in name:
            continue
        content = make()
        memory, seconds, told = cost(content)
        print(
            f"| {name} | {len(content)} | {memory:.0f} | {memory / plain:.1f} | {seconds:.3f} "
            f"| {seconds / plain_seconds:.1f} | {told} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
