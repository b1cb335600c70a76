"""What each precision of the image tower is worth: speed, accuracy, calibration, the unknown.

    python -m benchmarks.precision [SET...] [--generic DIR] [--seeds 3] [--write PAGE] [--ship]

Measures the precisions of `lite` on the synthetic tasks that `auto` decides by, and speeds in the
same run. On each SET (train/CLASS/IMAGE, test/CLASS/IMAGE; nothing was chosen on any) and on tasks
from DIR/caltech101: few-shot accuracy and more, as `handful evaluate` has it. `--ship` keeps what
was measured on the synthetic tasks as the record that comes with the package. Parts of PAGE that
were measured are written anew; without --write they are printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

import torch
from rich.console import Console

import service.precision
from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet
from adapters.measures.overlap import overlap
from adapters.recipe import Precision, Recipe
from benchmarks.generic_tasks import Pool, as_it_is, draw
from benchmarks.kept_features import kept_features
from benchmarks.published import machine
from benchmarks.results_page import filled, table
from service.datasets.dataset import read_classes, read_dataset
from service.datasets.feature_cache import FeatureCache, default_folder
from service.datasets.features import Features
from service.encoder import load_encoder
from service.evaluation.draws import Draw
from service.evaluation.few_shot_protocol import FewShotProtocol, Result, evaluate, evaluate_draw
from service.precision.check import candidates, check
from service.precision.verdict import Verdict
from service.settings import Settings

SHOTS = (1, 4, 16)
METHODS = ("tip-adapter++", "auto")
#: Classes of a task from generic images.
SIZES = (5, 20)
PARTS = ("run", "synthetic", "accuracy", "by-set", "rest")


class InPrecision:
    """All that is measured of a precision besides speed."""

    def __init__(self, precision: Precision, console: Console, seeds: int) -> None:
        settings = Settings()
        self.console = console
        self.backbone: Backbone = load_encoder(settings, Recipe(precision))
        self.cache = FeatureCache(default_folder(), self.backbone)
        self.features = Features(self.backbone, settings, console, self.cache)
        self.protocol = FewShotProtocol(METHODS, SHOTS, tuple(range(seeds)), coverage=0.9)

    def on_set(self, folder: Path) -> tuple[list[Result], list[Result], tuple[float, float]]:
        """Results, those with half of the classes held out, and overlap of both embeddings."""
        dataset = read_dataset(folder)
        results = evaluate(dataset, self.backbone, self.features, self.protocol, self.console)
        unknown = replace(self.protocol, methods=("auto",), shots=(4, 16), leave_classes_out=0.5)
        held_out = evaluate(dataset, self.backbone, self.features, unknown, self.console)
        queries = dataset.queries
        rows = self.features.of([example.path for example in queries])
        labels = torch.tensor([dataset.labels.index(example.label) for example in queries])
        both = tuple(100 * overlap(one, labels).area for one in (rows.frozen, rows.corrected))
        return results, held_out, (both[0], both[1])

    def on_generic(self, folder: Path, seeds: int) -> list[Result]:
        """Results on tasks from Caltech-101."""
        photos = read_classes(folder / "caltech101")
        names = sorted(photos)
        files = [file for label in names for file in photos[label]]
        images = kept_features(self.backbone, files, as_it_is, self.cache, self.console)
        columns = torch.tensor([i for i, label in enumerate(names) for _ in photos[label]])
        pool = Pool(images, columns, self.backbone.encode_classes(names))
        found = []
        for n_classes in SIZES:
            for seed in range(4 * seeds):
                for shots in SHOTS:
                    task = draw(pool, n_classes, shots, f"precision/{n_classes}/{seed}")
                    drawn = Draw(
                        shots,
                        seed,
                        ClassSet(torch.arange(n_classes), task.texts),
                        task.support,
                        task.queries,
                        task.truth,
                        unknown=task.queries[:0],
                    )
                    found += [
                        evaluate_draw(drawn, FewShotClassifier(method, self.backbone.logit_scale))
                        for method in METHODS
                    ]
        return found


def accuracy(results: Iterable[Result], method: str, shots: int) -> float:
    """Mean over draws, in %."""
    return 100 * mean(
        one.metrics.accuracy for one in results if (one.method, one.shots) == (method, shots)
    )


def mean_of(results: Iterable[Result], metric: str, shots: int, method: str = "auto") -> float:
    """Mean of a metric over draws, in %."""
    found = [
        getattr(one.metrics, metric)
        for one in results
        if (one.method, one.shots) == (method, shots)
    ]
    return 100 * float(mean(value for value in found if value is not None))


def cells(results: dict[str, list[Result]]) -> dict[tuple[str, int], float]:
    """Accuracy by method and shots, the mean of all that was measured."""
    return {
        (method, shots): mean(accuracy(some, method, shots) for some in results.values())
        for method in METHODS
        for shots in SHOTS
    }


def beside(value: float, base: float, *, is_base: bool) -> str:
    """A value with what it is more than the one in float32."""
    change = f"{value - base:+.1f}".replace("-", "−")
    return f"{value:.1f}" if is_base else f"{value:.1f} ({change})"


def synthetic(verdict: Verdict) -> str:
    """What `auto` decides by."""
    rows = [
        (
            precision,
            f"{one.speed:.2f}",
            f"{one.accuracy:.1f}",
            f"{one.points:+.2f} ± {one.error:.2f}".replace("-", "−"),
        )
        for precision, one in verdict.measured.items()
    ]
    head = ("precision", "times as quick", "accuracy", "less float32, with standard error")
    return f"{table(head, rows)}\nTaken by `auto`: **{verdict.precision()}**."


def accuracies(sets: dict[str, dict[str, list[Result]]], generic: dict[str, list[Result]]) -> str:
    """Accuracy in each precision: the mean of the sets, and on generic images."""
    rows = []
    for what, found in (
        ("mean of the sets", {p: cells(some) for p, some in sets.items()}),
        ("Caltech-101", {p: cells({"": some}) for p, some in generic.items() if some}),
    ):
        for precision, row in found.items():
            base, first = found["float32"], precision == "float32"
            values = [beside(row[cell], base[cell], is_base=first) for cell in row]
            rows.append((what, precision, *values))
    head = ("", "precision", *(f"{m}, {k}" for m in METHODS for k in SHOTS))
    return table(head, rows)


def by_set(sets: dict[str, dict[str, list[Result]]]) -> str:
    """Accuracy of `auto` set by set, less that in float32."""
    base = sets["float32"]
    rows = [
        (
            name,
            precision,
            *(
                beside(
                    accuracy(some[name], "auto", shots),
                    accuracy(base[name], "auto", shots),
                    is_base=precision == "float32",
                )
                for shots in SHOTS
            ),
        )
        for name in base
        for precision, some in sets.items()
    ]
    return table(("`auto`", "precision", *(f"{k} shots" for k in SHOTS)), rows)


def rest(
    sets: dict[str, dict[str, list[Result]]],
    held_out: dict[str, dict[str, list[Result]]],
    overlaps: dict[str, list[tuple[float, float]]],
) -> str:
    """Calibration, prediction sets, the unknown and overlap."""

    def auto(precision: str, metric: str, shots: int) -> str:
        return f"{mean(mean_of(some, metric, shots) for some in sets[precision].values()):.1f}"

    def unknown(precision: str, metric: str, shots: int) -> str:
        return f"{mean(mean_of(some, metric, shots) for some in held_out[precision].values()):.1f}"

    rows: list[tuple[str, ...]] = [
        (
            "expected calibration error, 4 / 16 shots",
            *(f"{auto(p, 'ece', 4)} / {auto(p, 'ece', 16)}" for p in sets),
        ),
        (
            "coverage of prediction sets (90 asked), 4 / 16",
            *(f"{auto(p, 'coverage', 4)} / {auto(p, 'coverage', 16)}" for p in sets),
        ),
        *(
            (f"{title}, 4 / 16", *(f"{unknown(p, m, 4)} / {unknown(p, m, 16)}" for p in sets))
            for title, m in (
                ("AUROC of the unknown", "auroc"),
                ("known rejected (5 allowed)", "rejected_known"),
                ("unknown rejected", "rejected_unknown"),
            )
        ),
        (
            "overlap, frozen / corrected",
            *(
                " / ".join(f"{mean(column):.1f}" for column in zip(*overlaps[p], strict=True))
                for p in sets
            ),
        ),
    ]
    return table(("mean of the sets, %", *sets), rows)


def run(folders: Sequence[Path], seeds: int, *, generic: bool) -> str:
    """What was run, when and on what."""
    names = " ".join(f"SETS/{folder.name}" for folder in folders)
    images = f"{names} --generic GENERIC" if generic else names
    about = machine()
    packages = about["packages"]
    return (
        f"    python -m benchmarks.precision {images} --seeds {seeds} --write "
        f"docs/precision.md\n\n`lite`, {seeds} draws; {datetime.now(UTC):%d %B %Y}, "
        f"{about['cores']} cores of {about['processor']}, torch {packages['torch']}.\n"
    )


def ship(verdict: Verdict, model: str) -> None:
    """Keep it as the record of the package for machines with these instructions."""
    path = Path(service.precision.__file__).with_name("shipped.json")
    records = json.loads(path.read_text())
    others = [one for one in records.get(model, []) if one["instructions"] != verdict.instructions]
    path.write_text(json.dumps({model: [*others, asdict(verdict)]}, indent=1) + "\n")


def main() -> None:
    """Measure, and write the page or the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--generic", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--ship", action="store_true")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    if arguments.write:
        filled(arguments.write.read_text(), dict.fromkeys(PARTS, ""))
    encoders: list[Backbone] = []

    def load(precision: Precision) -> Backbone:
        encoders.append(load_encoder(Settings(), Recipe(precision)))
        return encoders[-1]

    verdict = check(load, console.print, candidates())
    console.print(f"{verdict} (in {verdict.seconds} s)")
    if arguments.ship:
        ship(verdict, encoders[0].model_fingerprint)
    encoders.clear()
    sets: dict[str, dict[str, list[Result]]] = {}
    held_out: dict[str, dict[str, list[Result]]] = {}
    overlaps: dict[str, list[tuple[float, float]]] = {}
    generic: dict[str, list[Result]] = {}
    for precision in candidates() if arguments.sets else ():
        measuring = InPrecision(precision, console, arguments.seeds)
        found = {folder.name: measuring.on_set(folder) for folder in arguments.sets}
        sets[precision] = {name: one[0] for name, one in found.items()}
        held_out[precision] = {name: one[1] for name, one in found.items()}
        overlaps[precision] = [one[2] for one in found.values()]
        if arguments.generic:
            generic[precision] = measuring.on_generic(arguments.generic, arguments.seeds)
    parts = {
        "run": run(arguments.sets, arguments.seeds, generic=arguments.generic is not None),
        "synthetic": synthetic(verdict),
    }
    if sets:
        parts |= {
            "accuracy": accuracies(sets, generic),
            "by-set": by_set(sets),
            "rest": rest(sets, held_out, overlaps),
        }
    if arguments.write:
        arguments.write.write_text(filled(arguments.write.read_text(), parts))
    else:
        print("\n".join(f"## {name}\n\n{text}" for name, text in parts.items()))


if __name__ == "__main__":
    main()
