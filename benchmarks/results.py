"""All figures of docs/results.md: accuracy, calibration, the unknown, suggestions, the promises.

    .venv/bin/python -m benchmarks.results SET... --generic DIR [--seeds 5] [--write PAGE]

SET holds train/CLASS/IMAGE and test/CLASS/IMAGE; nothing was chosen on any. DIR holds caltech101
and imagenet_one_per_class, each with CLASS/IMAGE files: what choices rest on. Everything is
measured as `handful evaluate` does it. Embeddings are kept in its feature cache. The parts
of PAGE that were measured are written anew; without --write they are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from adapters.backbones import Backbone
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet
from adapters.heads import HEADS
from benchmarks import generic_tasks, results_page, super_classes
from benchmarks.generic_tasks import Pool, Style, Task, as_it_is, tiny
from benchmarks.kept_features import kept_features
from benchmarks.published import machine
from service.datasets.dataset import read_classes, read_dataset
from service.datasets.feature_cache import FeatureCache, default_folder
from service.datasets.features import Features
from service.encoder import load_encoder
from service.evaluation.draws import Draw
from service.evaluation.few_shot_protocol import FewShotProtocol, Result, evaluate, evaluate_draw
from service.settings import Settings

SHOTS = (1, 2, 4, 8, 16)
#: The pools of the smallest sets have 12 images a class.
SUGGESTED_SHOTS = (1, 2, 4, 8)
FORMS: Mapping[str, Style] = {"": as_it_is, " at 32 pixels": tiny}
#: Support images are of the first set, and queries of the second, where both are measured.
ELSEWHERE = ("pacs_photo", "pacs_art_painting")
ASKED_ELSEWHERE = ("zero-shot", "tip-adapter++", "gda++", "krr++", "auto")


@dataclass(frozen=True)
class Kind:
    """Tasks of one kind: where they are drawn from, and how."""

    pool: Pool
    sizes: tuple[int, ...]
    draw: Callable[[Pool, int, int, str], Task]


class Measuring:
    """What measures: the backbone and its features, for so many draws."""

    def __init__(self, seeds: int) -> None:
        settings = Settings()
        self.console = Console(stderr=True)
        self.backbone: Backbone = load_encoder(settings)
        self.cache = FeatureCache(default_folder(), self.backbone)
        self.features = Features(self.backbone, settings, self.console, self.cache)
        self.auto = FewShotProtocol(("auto",), SHOTS, tuple(range(seeds)))

    def sets(self, folders: Sequence[Path], protocol: FewShotProtocol) -> dict[str, list[Result]]:
        """Results on each set."""
        return {folder.name: self.one_set(folder, protocol) for folder in folders}

    def one_set(
        self, folder: Path, protocol: FewShotProtocol, queries_from: Path | None = None
    ) -> list[Result]:
        """Results on a set."""
        self.console.print(folder.name)
        dataset = read_dataset(folder, queries_from)
        return evaluate(dataset, self.backbone, self.features, protocol, self.console)

    def generic(self, folder: Path) -> dict[str, list[Result]]:
        """Results of ``auto`` and ``zero-shot`` on tasks from generic images, by kind and size."""
        found = {}
        for title, kind in self._kinds(folder):
            for n_classes in kind.sizes:
                name = f"{title}, {n_classes} classes"
                draws = [(shots, seed) for shots in SHOTS for seed in self.auto.seeds]
                found[name] = [
                    self._fitted(task, method, shots, seed)
                    for shots, seed in track(draws, name, console=self.console)
                    for task in [kind.draw(kind.pool, n_classes, shots, f"{name}/{seed}")]
                    for method in ("auto", "zero-shot")
                ]
        return found

    def _kinds(self, folder: Path) -> Iterator[tuple[str, Kind]]:
        photos = read_classes(folder / "caltech101")
        columns = [i for i, label in enumerate(sorted(photos)) for _ in photos[label]]
        texts = self.backbone.encode_classes(sorted(photos), ())
        imagenet = read_classes(folder / "imagenet_one_per_class")
        supers = self.backbone.encode_classes(list(super_classes.SUPER_CLASSES), ())
        for form, style in FORMS.items():
            files = [file for label in sorted(photos) for file in photos[label]]
            images = kept_features(self.backbone, files, style, self.cache, self.console)
            pool = Pool(images, torch.tensor(columns), texts)
            yield f"Caltech-101{form}", Kind(pool, generic_tasks.SIZES, generic_tasks.draw)
            files = [imagenet[label][0] for label in sorted(imagenet)]
            images = kept_features(self.backbone, files, style, self.cache, self.console)
            pool = super_classes.super_pool(images, supers)
            yield f"super-classes{form}", Kind(pool, super_classes.SIZES, super_classes.draw)

    def _fitted(self, task: Task, method: str, shots: int, seed: int) -> Result:
        draw = Draw(
            shots,
            seed,
            ClassSet(torch.arange(len(task.texts)), task.texts),
            task.support,
            task.queries,
            task.truth,
            unknown=task.queries[:0],
        )
        return evaluate_draw(draw, FewShotClassifier(method, self.backbone.logit_scale))


def measured(folders: Sequence[Path], generic: Path, seeds: int) -> dict[str, str]:
    """All parts of the page, by name."""
    measuring = Measuring(seeds)
    auto, every = measuring.auto, tuple(HEADS)
    sets = measuring.sets(folders, replace(auto, methods=every, coverage=0.9))
    held_out = measuring.sets(folders, replace(auto, shots=SHOTS[1:], leave_classes_out=0.5))
    chosen = measuring.sets(folders, replace(auto, shots=SUGGESTED_SHOTS, suggested=True))
    tasks = measuring.generic(generic)
    both = {name: [*sets.get(name, ()), *tasks.get(name, ())] for name in (*sets, *tasks)}
    by_name = {folder.name: folder for folder in folders}
    elsewhere = "Not measured.\n"
    if all(name in by_name for name in ELSEWHERE):
        support, queries = (by_name[name] for name in ELSEWHERE)
        protocol = replace(auto, methods=ASKED_ELSEWHERE, shots=(1, 4, 16), coverage=0.9)
        results = measuring.one_set(support, protocol, queries)
        elsewhere = results_page.elsewhere(results, ASKED_ELSEWHERE)
    return {
        "run": run(measuring.backbone.name, folders, seeds),
        "accuracy": results_page.accuracy(sets),
        "cross-entropy": results_page.cross_entropy(sets),
        "calibration": results_page.calibration(sets),
        "coverage": results_page.coverage(sets),
        "unknown": results_page.unknown(held_out),
        "suggested": results_page.suggested(sets, chosen),
        "names": results_page.names(both),
        "more-shots": results_page.more_shots(both),
        "elsewhere": elsewhere,
    }


def run(backbone: str, folders: Sequence[Path], seeds: int) -> str:
    """What was run, when and on what."""
    command = " ".join(
        (
            "python -m benchmarks.results",
            *(f"SETS/{folder.name}" for folder in folders),
            f"--generic GENERIC --seeds {seeds} --write docs/results.md",
        )
    )
    about = machine()
    return (
        f"    {command}\n\nBackbone `{backbone}`, {seeds} draws at each number of images a class; "
        f"{datetime.now(UTC):%d %B %Y}, {about['cores']} cores of {about['processor']}, "
        f"torch {about['packages']['torch']}.\n"
    )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--generic", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    if arguments.write:
        # Not after an hour of measuring: that the page is there, and has these parts.
        results_page.filled(arguments.write.read_text(), dict.fromkeys(results_page.PARTS, ""))
    parts = measured(arguments.sets, arguments.generic, arguments.seeds)
    if arguments.write:
        page = arguments.write.read_text()
        arguments.write.write_text(results_page.filled(page, parts))
    else:
        print("\n".join(f"## {name}\n\n{text}" for name, text in parts.items()))


if __name__ == "__main__":
    main()
