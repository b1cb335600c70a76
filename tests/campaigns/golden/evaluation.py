"""Few-shot accuracy and the diagnosis on folders of images, with the default backbone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.campaigns.golden.code import Code, CodeError
from tests.campaigns.golden.recording import Placeholders, Recording, plain_svg

_SHOTS = ("--shots", "1,4,16", "--seeds", "1")
_MORE: dict[str, tuple[str, ...]] = {
    "open-set": ("--shots", "4", "--seeds", "2", "--coverage", "0.9", "--leave-classes-out", "0.3"),
    "nameless": ("--shots", "1,8", "--seeds", "1", "--nameless"),
    "templates": ("--shots", "2", "--seeds", "1", "--template", "a {}.", "--template", "one {}"),
}


def evaluation(code: Code, recording: Recording, sets: Sequence[Path]) -> None:
    """Record the part ``evaluate``: each set, and the first of them in other ways as well.

    Raises:
        CodeError: A command failed.
    """
    clean = Placeholders()
    clean.literally(recording.work, "<work>")
    clean.literally(code.folder, "<code>")
    runs: list[tuple[str, Path, tuple[str, ...]]]
    runs = [(folder.name, folder, _SHOTS) for folder in sets]
    runs += [(f"{sets[0].name}-{name}", sets[0], options) for name, options in _MORE.items()]
    for name, folder, options in runs:
        clean.literally(folder, f"<{folder.name}>")
        out = recording.work / "evaluate" / name
        process = code.handful("evaluate", folder, *options, "--cache", "features", "--out", out)
        if process.returncode != 0:
            raise CodeError(f"{name}: {process.stdout}{process.stderr}")
        pictures = {
            path.name: recording.content(f"evaluate/{name}-{path.name}", path.read_bytes())
            for path in sorted(out.glob("*.png"))
        }
        recording.write(
            "evaluate",
            name,
            {
                "files": sorted(path.name for path in out.iterdir()),
                "results": json.loads(clean((out / "results.json").read_text("utf-8"))),
                "results.csv": clean((out / "results.csv").read_text("utf-8")).splitlines(),
                "pictures": pictures,
                "stdout": clean(process.stdout),
            },
        )
    _diagnosis(code, recording, sets[0], clean)


def _diagnosis(code: Code, recording: Recording, folder: Path, clean: Placeholders) -> None:
    out = recording.work / "diagnose"
    process = code.handful("diagnose", folder, "--limit", "20", "--cache", "features", "--out", out)
    if process.returncode != 0:
        raise CodeError(f"diagnose: {process.stdout}{process.stderr}")
    pictures = {
        path.name: recording.content(f"evaluate/diagnose-{path.name}", path.read_bytes())
        for path in sorted(out.glob("*.png"))
    } | {
        path.name: recording.text(
            f"evaluate/diagnose-{path.name}", plain_svg(clean(path.read_text("utf-8")))
        )
        for path in sorted(out.glob("*.svg"))
    }
    found = json.loads(clean((out / "diagnosis.json").read_text("utf-8")))
    told = {"diagnosis": found, "pictures": pictures, "stdout": clean(process.stdout)}
    recording.write("evaluate", f"diagnose-{folder.name}", told)
