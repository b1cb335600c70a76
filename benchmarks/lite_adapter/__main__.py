"""Search an adapter for `lite` on generic images, of which classes are held out.

    .venv/bin/python -m benchmarks.lite_adapter cache GENERIC WORK [--workers 2]
    .venv/bin/python -m benchmarks.lite_adapter search WORK [--cuts 0,1,2] [--name NAME ...]
    .venv/bin/python -m benchmarks.lite_adapter table WORK
    .venv/bin/python -m benchmarks.lite_adapter pool GENERIC WORK ADAPTER [--workers 2]
    .venv/bin/python -m benchmarks.lite_adapter closed WORK [--cuts 0,1,2]
    .venv/bin/python -m benchmarks.lite_adapter cost BEFORE AFTER

GENERIC holds CLASS/IMAGE files: Caltech-101, and ImageNet's classes with one image each. ``cache``
computes what lies before the first adapted block once (some minutes, 1.3 GB), ``search`` learns and
judges every candidate on every cut and appends the figures to WORK/found.jsonl (a minute or two
each), and ``table`` prints their means over the cuts, and by how much candidates differ from the
joint embedding at least and at most. ``pool`` and ``closed`` do the same for what stands behind
the pooling of a trunk with an ADAPTER, in closed form; give them a WORK of their own. ``cost``
compares a pass with two adapter files.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from adapters.corrections.bottleneck import BottleneckAdapter, attach
from adapters.engines.precisions import has_bfloat16
from adapters.loading import load_backbone
from adapters.training.loop import LoopSettings, train
from adapters.training.methods.imo.model import Tower
from benchmarks.lite_adapter import cache, closed_forms
from benchmarks.lite_adapter.candidates import CANDIDATES, Candidate
from benchmarks.lite_adapter.cost import compare
from benchmarks.lite_adapter.cuts import Cut, Examples, cut
from benchmarks.lite_adapter.judge import STYLES, embedded, judged

FOUND = "found.jsonl"
JOINT, POOLED = "joint", "pooled, no adapter"


def search(work: Path, names: list[str], seeds: list[int], images: int | None) -> None:
    """Learn and judge, cut by cut; what stands in the file already is left out."""
    kept = cache.read(work).first(images)
    backbone = load_backbone("lite", "cpu", adapter="none")
    texts = backbone.encode_classes(kept.classes, ())
    tower = cache.lite_tower()
    encoder = cache.FromBlock(tower.visual.get_submodule("trunk")).eval()
    head = tower.visual.get_submodule("head")

    def joint(features: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = head(encoder(features))
        return projected

    done = {(row["name"], row["cut"]) for row in _rows(work)}
    for seed in seeds:
        held = cut(kept, seed)
        frozen = {
            style: embedded(kept, held.fine[0], view, joint) for style, view in STYLES.items()
        }
        for name in [JOINT, POOLED, *names]:
            if (name, seed) in done:
                continue
            embed, adapter = (joint if name == JOINT else encoder), None
            if name in CANDIDATES:
                adapter = learned(CANDIDATES[name], kept, held, tower, encoder, seed)
            figures = judged(kept, held, frozen, embed, texts, backbone.logit_scale)
            if adapter is not None:
                adapter.detach()
            _note(work, name, seed, figures)


def closed(work: Path, seeds: list[int]) -> None:
    """Judge what can stand behind the pooling, cut by cut."""
    pooled, joint = (closed_forms.read(work, n) for n in (closed_forms.POOLED, closed_forms.JOINT))
    backbone = load_backbone("lite", "cpu", adapter="none")
    texts = backbone.encode_classes(pooled.classes, ())
    for seed in seeds:
        held = cut(pooled, seed)
        frozen = {s: embedded(joint, held.fine[0], view, _same) for s, view in STYLES.items()}
        known = closed_forms.Learned.of(pooled, held.learned)
        judge = partial(judged, cut=held, frozen=frozen, texts=texts)
        found = {JOINT: (joint, _same), "the adapter": (pooled, _same)}
        found |= {name: (pooled, form(known)) for name, form in closed_forms.CLOSED_FORMS.items()}
        for name, (images, embed) in found.items():
            _note(work, name, seed, judge(images, embed=embed, logit_scale=backbone.logit_scale))


def _same(features: torch.Tensor) -> torch.Tensor:
    return features


def _note(work: Path, name: str, seed: int, figures: dict[str, float]) -> None:
    with (work / FOUND).open("a") as file:
        file.write(json.dumps({"name": name, "cut": seed, "figures": figures}) + "\n")
    print(name, seed, {key: round(value, 1) for key, value in figures.items()}, flush=True)


def learned(
    candidate: Candidate,
    images: cache.Cached,
    held: Cut,
    tower: Tower,
    encoder: cache.FromBlock,
    seed: int,
) -> BottleneckAdapter:
    """The adapter, attached to the tower."""
    torch.manual_seed(seed)
    student = attach(tower.visual, candidate.config)
    examples = Examples(images, held.learned, candidate.views)
    objective, adapter = candidate.build(tower, encoder, student, examples.classes)
    settings = LoopSettings(
        epochs=candidate.epochs,
        batch=candidate.batch,
        learning_rate=candidate.learning_rate,
        warmup=0.1,
        # Without instructions for it, convolutions in bfloat16 take sixteen times as long.
        precision="bf16" if has_bfloat16() else "no",
        seed=seed,
    )
    train(objective, examples, settings, device="cpu")
    if adapter is not student:
        student.detach()
    return adapter.eval().requires_grad_(False)


def table(work: Path) -> None:
    """Print the means over the cuts."""
    rows = list(_rows(work))
    joint = {row["cut"]: row["figures"] for row in rows if row["name"] == JOINT}
    measures = list(next(iter(joint.values())))
    shown = Table("in %, mean over cuts (candidate less joint: least, most)", *measures)
    for name in dict.fromkeys(row["name"] for row in rows):
        own = {row["cut"]: row["figures"] for row in rows if row["name"] == name}
        cells = []
        for measure in measures:
            less = [own[seed][measure] - joint[seed][measure] for seed in own]
            middle = mean(figures[measure] for figures in own.values())
            cells.append(f"{middle:.1f} ({min(less):+.1f}, {max(less):+.1f})")
        shown.add_row(f"{name} ({len(own)})", *cells)
    Console(width=240).print(shown)


def _rows(work: Path) -> Iterator[dict[str, Any]]:
    if (work / FOUND).exists():
        yield from map(json.loads, (work / FOUND).read_text().splitlines())


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True)
    caching = steps.add_parser("cache")
    caching.add_argument("generic", type=Path)
    caching.add_argument("work", type=Path)
    caching.add_argument("--workers", type=int, default=2)
    searching = steps.add_parser("search")
    searching.add_argument("work", type=Path)
    searching.add_argument("--cuts", default="0,1,2")
    searching.add_argument("--name", action="append", choices=CANDIDATES, help="All by default.")
    searching.add_argument("--images", type=int, help="So many of them; all by default.")
    steps.add_parser("table").add_argument("work", type=Path)
    pooling = steps.add_parser("pool")
    for name in ("generic", "work", "adapter"):
        pooling.add_argument(name, type=Path)
    pooling.add_argument("--workers", type=int, default=2)
    closing = steps.add_parser("closed")
    closing.add_argument("work", type=Path)
    closing.add_argument("--cuts", default="0,1,2")
    costing = steps.add_parser("cost")
    costing.add_argument("before", type=Path)
    costing.add_argument("after", type=Path)
    asked = parser.parse_args()
    if asked.step == "cache":
        cache.make(asked.generic, asked.work, asked.workers)
    elif asked.step == "pool":
        closed_forms.make(asked.generic, asked.work, asked.adapter, asked.workers)
    elif asked.step == "closed":
        closed(asked.work, [int(seed) for seed in asked.cuts.split(",")])
    elif asked.step == "search":
        seeds = [int(seed) for seed in asked.cuts.split(",")]
        search(asked.work, asked.name or list(CANDIDATES), seeds, asked.images)
    elif asked.step == "cost":
        compare(asked.before, asked.after)
    else:
        table(asked.work)


if __name__ == "__main__":
    main()
