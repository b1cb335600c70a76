"""After how many queries a shift is told, and how often one is told where there is none.

    .venv/bin/python -m benchmarks.shift FOLDER [--sets DIR ...] [--draws 3] [--json FILE]

FOLDER and DIR as for ``prediction_sets.py``. Support images of one style of FOLDER's photos,
queries of the same style (no shift), of another one, or of other classes; in random order, and one
class after the other. Of the sets: support images from ``train``, queries from ``test``.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

import torch
from rich.console import Console
from rich.table import Table

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet
from adapters.loading import load_backbone
from adapters.shift import LEAST, RecentQueries
from benchmarks.generic_tasks import (
    Pool,
    Task,
    draw,
    pools_of,
    train_and_test,
)
from benchmarks.prediction_sets import SHOTS, SIZES, draw_split

#: Mean p-value of all queries, and the number after which a shift was told; None: never.
Outcome = tuple[float, int | None]


def told(task: Task, logit_scale: float, order: Iterable[int]) -> Outcome | None:
    """Ask one query after the other; None where p-values cannot be had."""
    classes = ClassSet(torch.arange(len(task.texts)), task.texts)
    classifier = FewShotClassifier("auto", logit_scale).fit(classes, task.support)
    answers, scores = classifier.answer(task.queries, 0), classifier.tuning.left_out_scores
    if answers.p_values is None or scores is None:
        return None
    shots = torch.bincount(task.support.labels)
    recent = RecentQueries(scores.count, int((shots > 1).sum()))
    p_values = answers.p_values.tolist()
    predicted = answers.probabilities.argmax(dim=1).tolist()
    after: int | None = None
    counted = []
    for query in order:
        if not math.isnan(p_values[query]):
            counted.append(p_values[query])
            recent.add(p_values[query], str(predicted[query]))
            shift = recent.shift()
            if after is None and shift is not None and shift.detected:
                after = len(counted)
    return mean(counted), after


def in_random_order(task: Task, seed: str) -> list[int]:
    """All queries."""
    order = list(range(len(task.queries)))
    random.Random(seed).shuffle(order)
    return order


def by_style(
    pools: Mapping[str, Pool], draws: int, shots: int
) -> Iterator[tuple[str, Task, list[int]]]:
    """Tasks by what their queries are, with the order of these."""
    photos = "as it is"
    pairs = [(style, style) for style in pools]
    pairs += [(photos, style) for style in pools if style != photos]
    pairs += [(style, photos) for style in pools if style != photos]
    for of_support, of_queries in pairs:
        for n_classes in SIZES:
            for number in range(draws):
                seed = f"{of_support}/{n_classes}/{number}"
                task = draw(pools[of_support], n_classes, shots, seed)
                other = draw(pools[of_queries], n_classes, shots, seed)
                task = replace(task, queries=other.queries)
                order = in_random_order(task, seed)
                if of_support != of_queries:
                    yield f"{of_support}, asked {of_queries}", task, order
                    continue
                yield "no shift", task, order
                yield "no shift, one class after the other", task, list(range(len(order)))
                others = draw(pools[of_support], n_classes, shots, f"others of {seed}")
                if not set(map(tuple, task.texts.tolist())) & set(
                    map(tuple, others.texts.tolist())
                ):
                    task = replace(task, queries=others.queries)
                    yield "other classes", task, in_random_order(task, seed)


def measured(
    pools: Mapping[str, Pool],
    sets: Mapping[str, tuple[Pool, Pool]],
    draws: int,
    logit_scale: float,
) -> dict[str, dict[int, list[Outcome]]]:
    """By form and shots, what came of each task."""
    found: dict[str, dict[int, list[Outcome]]] = {}
    for shots in SHOTS:
        of_sets = (
            (name, task, in_random_order(task, seed))
            for name, splits in sets.items()
            for seed in (f"{name}{number}" for number in range(draws))
            for task in [draw_split(*splits, shots, seed)]
        )
        for form, task, order in (*by_style(pools, draws, shots), *of_sets):
            if len(order) >= LEAST and (outcome := told(task, logit_scale, order)) is not None:
                found.setdefault(form, {}).setdefault(shots, []).append(outcome)
    return found


def show(found: Mapping[str, Mapping[int, list[Outcome]]]) -> None:
    """Print the table."""
    table = Table(
        "mean p-value, told in % of tasks (after queries)", *(f"{shots} shots" for shots in SHOTS)
    )
    for form, by_shots in found.items():
        cells = []
        for shots in SHOTS:
            outcomes = by_shots.get(shots, [])
            after = [one for _, one in outcomes if one is not None]
            cells.append(
                f"{mean(p for p, _ in outcomes):.2f}, {100 * len(after) / len(outcomes):.0f} %"
                + (f" ({median(after):.0f})" if after else "")
                if outcomes
                else "–"
            )
        table.add_row(form, *cells)
    Console(width=140).print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", type=Path, nargs="*", default=[])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    backbone = load_backbone("lite", "cpu")
    pools = pools_of(backbone, arguments.folder)
    sets = train_and_test(backbone, arguments.sets)
    found = measured(pools, sets, arguments.draws, backbone.logit_scale)
    show(found)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
