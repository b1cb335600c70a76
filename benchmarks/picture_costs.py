"""What decoding and framing a picture of each kind costs, against an RGB PNG of as many pixels.

Every file is decoded in a process of its own, as the service does it, with the encoder's side and
without compiled models. Memory is how far the resident set grows; time is the best of three runs.

    python -m benchmarks.picture_costs --size 4000 3000
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.odd_pictures import flat_png, kinds, scene

_CHILD = """
import re, sys, time
from pathlib import Path
from open_clip.transform import PreprocessCfg, image_transform_v2
from adapters.backbones.framing import Framing
from service.images.decoding import decode
from service.problems import BrokenImage, ImageTooLarge, NotAnImage
from tests.odd_pictures import encoded, scene

framing = Framing(image_transform_v2(PreprocessCfg(size=224), is_train=False))

def resident(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

def once(content):
    start = time.perf_counter()
    try:
        framing(decode(content, 64_000_000, side=224).pixels)
        told = "taken"
    except (BrokenImage, ImageTooLarge, NotAnImage) as problem:
        told = problem.type_
    return time.perf_counter() - start, told

for kind in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF"):
    once(encoded(scene((64, 64)), kind))
content = Path(sys.argv[1]).read_bytes()
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
seconds, told = once(content)
memory = resident("VmHWM") - before
seconds = min([seconds, *(once(content)[0] for _ in range(2))])
print(memory, seconds, told)
"""


def cost(content: bytes, folder: Path) -> tuple[float, float, str]:
    """MiB, seconds, and what became of the file."""
    path = folder / "picture"
    path.write_bytes(content)
    ended = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        return float("nan"), float("nan"), (ended.stderr.strip().splitlines() or ["killed"])[-1]
    memory, seconds, told = ended.stdout.split()
    return float(memory), float(seconds), told


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
    with tempfile.TemporaryDirectory() as folder:
        plain, plain_seconds, _ = cost(files["PNG, RGB"](), Path(folder))
        for name, make in files.items():
            if arguments.only not in name:
                continue
            content = make()
            memory, seconds, told = cost(content, Path(folder))
            print(
                f"| {name} | {len(content)} | {memory:.0f} | {memory / plain:.1f} | {seconds:.3f} "
                f"| {seconds / plain_seconds:.1f} | {told} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
