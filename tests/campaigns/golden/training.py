"""Short training runs of every method on small models: what they write, and their losses."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.campaigns.golden.code import Code, CodeError
from tests.campaigns.golden.commands import ended
from tests.campaigns.golden.pictures import LABELS, png, write_folders
from tests.campaigns.golden.recording import Json, Placeholders, Recording
from tests.campaigns.golden.small_clip import write_small_clip

STEPS = 20
_COMMON = ("--backbone", "local-dir:clip", "--device", "cpu")
_IMO = ("--data", "toy/train", "--batch", "8", "--epochs", "4", "--workers", "0", "--width", "8")
_PAIRS = ("--data", "pairs/pairs.csv", "--batch", "18", "--epochs", "10", "--workers", "0")
_COMMA = ("--data", "toy", "--depth", "2", "--shots", "5", "--batch", "4")
_RUNS: dict[str, tuple[str, ...]] = {
    "imo-supervised": ("imo", "--objective", "supervised", *_COMMON, *_IMO),
    "imo-dino": ("imo", "--objective", "dino", *_COMMON, *_IMO),
    "imo-distillation": ("imo", "--objective", "distillation", *_COMMON, *_IMO),
    "imo-places": ("imo", "--objective", "supervised", "--places", "1,2", *_COMMON, *_IMO),
    "mixup-model": ("mixup", "--learning-rate", "1e-3", *_COMMON, *_PAIRS),
    "mixup-all-mixes": (
        *("mixup", "--learn", "projections", "--mix", "m2", "--mix", "v", "--mix", "l"),
        *("--mix", "vl", "--mix-weight", "0.2", *_COMMON, *_PAIRS),
    ),
    "mixup-adapter": ("mixup", "--learn", "adapter", "--mix", "vl", *_COMMON, *_PAIRS),
    "comma": ("comma", "--epochs", "4", *_COMMON, *_COMMA),
    "comma-base-to-novel": ("comma", "--base-to-novel", "--epochs", "10", *_COMMON, *_COMMA),
}
_USES: dict[str, tuple[str, ...]] = {
    "prompts": ("--backbone", "local-dir:clip", "--prompts", "comma/prompts.safetensors"),
    "adapter": ("--backbone", "local-dir:clip", "--adapter", "imo-supervised/adapter.safetensors"),
    "fine-tuned": ("--backbone", "local-dir:mixup-model/model"),
}


def training(code: Code, recording: Recording) -> None:
    """Record the part ``training``.

    Raises:
        CodeError: A run failed, or had another number of steps than is meant.
    """
    clean = Placeholders()
    clean.literally(recording.work, "<work>")
    clean.literally(code.folder, "<code>")
    work = recording.work
    write_small_clip(work / "clip")
    write_folders(work / "toy", 10)
    _write_pairs(work / "pairs")
    for name, arguments in _RUNS.items():
        shutil.rmtree(work / name, ignore_errors=True)
        process = code.handful("train", *arguments, "--out", name)
        if process.returncode != 0:
            raise CodeError(f"{name}: {process.stdout}{process.stderr}")
        written = _written(recording, work / name, clean)
        if len(written["losses.csv"]) != STEPS:
            raise CodeError(f"{name}: {len(written['losses.csv'])} steps are not {STEPS}")
        recording.write("training", name, {"ended": ended(process, clean), "written": written})
    for name, arguments in _USES.items():
        out = f"use-{name}"
        process = code.handful(
            *("evaluate", "toy", "--shots", "1,4", "--seeds", "2", "--out", out, *arguments),
            *("--cache", "features"),
        )
        if process.returncode != 0:
            raise CodeError(f"{out}: {process.stdout}{process.stderr}")
        found = json.loads(clean((work / out / "results.json").read_text("utf-8")))
        recording.write("training", out, found)
    process = code.handful("train", "lite", "--output", "lite")
    written = _written(recording, work / "lite", clean)
    written["provenance.json"].pop("date", None)
    recording.write("training", "lite", {"ended": process.returncode, "written": written})


def _write_pairs(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["filepath\ttitle"]
    for number in range(40):
        label = LABELS[number % len(LABELS)]
        (folder / f"{number}.png").write_bytes(png(label, number))
        rows.append(f"{number}.png\tpicture {number} of {label}")
    (folder / "pairs.csv").write_text("\n".join(rows), "utf-8")


def _written(recording: Recording, folder: Path, clean: Placeholders) -> Json:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _file(recording, path, clean) for path in files}


def _file(recording: Recording, path: Path, clean: Placeholders) -> Json:
    if path.suffix == ".safetensors":
        return recording.tensors(path, clean)
    if path.suffix == ".json":
        found = json.loads(clean(path.read_text("utf-8")))
        if isinstance(found, dict):
            found.pop("seconds", None)
        return found
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return _numbers(list(csv.DictReader(file)))
    return recording.content(f"training/{path.parent.name}-{path.name}", path.read_bytes())


def _numbers(rows: Sequence[dict[str, str]]) -> Json:
    return [{name: float(value) for name, value in row.items()} for row in rows]
