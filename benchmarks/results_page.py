"""The measured parts of docs/results.md, as Markdown; its other words stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import mean

import torch

from service.evaluation.few_shot_protocol import Result
from service.evaluation.metrics import calibration_error
from service.evaluation.summary import pooled_calibration_error, summarise

#: Results by the name of what was measured: a set, or tasks of one kind.
Results = Mapping[str, Sequence[Result]]
#: A value for each number of shots, by name.
Rows = dict[str, dict[int, float]]

#: What the page has measured parts of.
PARTS = (
    *("run", "accuracy", "cross-entropy", "calibration", "coverage", "unknown", "suggested"),
    *("names", "more-shots", "elsewhere"),
)

_PART = re.compile(r"(<!-- measured: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
# How often queries with these confidences are made right or wrong by chance.
_CHANCES = 20


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with new measured parts.

    Args:
        page: Has ``<!-- measured: NAME -->`` and ``<!-- end -->`` around each part.
        parts: By name.

    Raises:
        ValueError: The page has not these parts, each once.
    """
    found = [match[2] for match in _PART.finditer(page)]
    if sorted(found) != sorted(parts):
        raise ValueError(f"the page has the parts {sorted(found)}, not {sorted(parts)}")
    return _PART.sub(lambda match: f"{match[1]}\n{parts[match[2]].rstrip()}\n\n{match[3]}", page)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    return "\n".join(lines) + "\n"


def values(results: Results, metric: str, method: str = "auto", scale: float = 100) -> Rows:
    """Mean over draws of a metric of one method, in % or in another unit."""
    return {
        name: {
            shots: scale * estimate.mean
            for (of, shots), estimate in summarise(some, metric).items()
            if of == method
        }
        for name, some in results.items()
    }


def with_mean(rows: Rows) -> Rows:
    """The rows, and their mean."""
    shots = [k for k in next(iter(rows.values())) if all(k in row for row in rows.values())]
    return {**rows, "mean": {k: mean(row[k] for row in rows.values()) for k in shots}}


def less(rows: Rows, others: Rows) -> Rows:
    """The first less the second."""
    return {name: {k: row[k] - others[name][k] for k in row} for name, row in rows.items()}


def shown(
    title: str,
    shots: Sequence[int],
    *cells: Rows,
    write: Callable[[float], str] = lambda x: f"{x:.1f}",
) -> str:
    """A table with a column for each number of shots; of several rows by one name, ``a / b``."""
    lines = [
        [name, *(" / ".join(write(rows[name][k]) for rows in cells) for k in shots)]
        for name in cells[0]
    ]
    return table([title, *map(str, shots)], lines)


def signed(value: float) -> str:
    """``+1.5``."""
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def lowest(rows: Rows) -> str:
    """The lowest cell, in words."""
    value, name, k = min((value, name, k) for name, row in rows.items() for k, value in row.items())
    return f"{signed(value)} ({name} at {_shots(k)})"


def accuracy(sets: Results) -> str:
    """Accuracy of every method, on the mean and set by set, and how far auto is from the best."""
    methods = list(dict.fromkeys(r.method for some in sets.values() for r in some))
    by_method = {method: with_mean(values(sets, "accuracy", method)) for method in methods}
    auto = by_method["auto"]
    best: Rows = {
        name: {
            k: max(rows[name][k] for method, rows in by_method.items() if method != "auto")
            for k in auto[name]
        }
        for name in sets
    }
    behind = with_mean(less(best, {name: auto[name] for name in sets}))
    shots = list(auto["mean"])
    parts = []
    for name in ("mean", *sets):
        lines = [[m, *(f"{by_method[m][name][k]:.1f}" for k in shots)] for m in methods]
        last = ["best with hindsight less auto", *(signed(behind[name][k]) for k in shots)]
        title = f"mean of the {len(sets)} sets" if name == "mean" else name
        parts.append(table([title, *map(str, shots)], [*lines, last]))
    cells = [(name, k, behind[name][k]) for name in sets for k in shots]
    others = [f"{name} at {_shots(k)} ({gap:.1f})" for name, k, gap in cells if gap > 1]
    said = (
        f"`auto` is within one point of the best head chosen with hindsight in "
        f"{len(cells) - len(others)} of {len(cells)} cells"
    )
    parts.insert(1, said + (f"; the others: {', '.join(others)}.\n" if others else ".\n"))
    return "\n".join(parts)


def cross_entropy(sets: Results) -> str:
    """Cross-entropy of auto in nats."""
    rows = with_mean(values(sets, "cross_entropy", scale=1))
    return shown("auto, nats", list(rows["mean"]), rows, write=lambda x: f"{x:.2f}")


def calibration(sets: Results) -> str:
    """Calibration error of auto, as the mean of draws and of all draws together."""
    single = values(sets, "ece")
    pooled: Rows = {
        name: {
            k: 100 * error
            for (method, k), error in pooled_calibration_error(some).items()
            if method == "auto"
        }
        for name, some in sets.items()
    }
    chance = _by_chance(sets)
    shots = list(next(iter(single.values())))
    rows = [with_mean(one) for one in (single, pooled)]
    for one, other in zip(rows, chance, strict=True):
        one["perfectly calibrated, mean"] = with_mean(other)["mean"]
    return shown("draw by draw / together", shots, *rows)


def _by_chance(sets: Results) -> tuple[Rows, Rows]:
    """Calibration error of answers with the confidences of auto that are right as often."""
    random = torch.Generator().manual_seed(0)
    single: Rows = {}
    pooled: Rows = {}
    for name, some in sets.items():
        auto = [result for result in some if result.method == "auto"]
        for k in dict.fromkeys(result.shots for result in auto):
            draws = [result.confidence for result in auto if result.shots == k]
            apart, together = [], []
            for _ in range(_CHANCES):
                right = [
                    torch.bernoulli(one.float().clamp(0, 1), generator=random).bool()
                    for one in draws
                ]
                apart += [calibration_error(*pair) for pair in zip(draws, right, strict=True)]
                together.append(calibration_error(torch.cat(draws), torch.cat(right)))
            single.setdefault(name, {})[k] = 100 * mean(apart)
            pooled.setdefault(name, {})[k] = 100 * mean(together)
    return single, pooled


def coverage(sets: Results) -> str:
    """Coverage of the prediction sets of auto in %, and their mean size, from four shots on."""
    rows = (values(sets, "coverage"), values(sets, "set_size", scale=1))
    shots = [k for k in next(iter(rows[0].values())) if k >= 4]
    held, sizes = map(with_mean, rows)
    lines = [
        [name, *(f"{held[name][k]:.1f} / {sizes[name][k]:.2f}" for k in shots)] for name in held
    ]
    return table(["coverage in % / classes", *map(str, shots)], lines)


def unknown(sets: Results) -> str:
    """How well images of held-out classes are told, where there is anything to tell by."""
    rows = [
        with_mean(values(sets, metric))
        for metric in ("auroc", "rejected_known", "rejected_unknown")
    ]
    title = "AUROC / known rejected / unknown rejected"
    return shown(title, list(rows[0]["mean"]), *rows)


def suggested(sets: Results, chosen: Results) -> str:
    """Accuracy of auto with random and with suggested support images."""
    ours = values(chosen, "accuracy")
    shots = list(next(iter(ours.values())))
    by_chance = {name: {k: row[k] for k in shots} for name, row in values(sets, "accuracy").items()}
    gains = less(ours, by_chance)
    both = [with_mean(rows) for rows in (by_chance, ours)]
    first = {name: {shots[0]: row[shots[0]]} for name, row in gains.items()}
    at = f"At {shots[0]} a class: {signed(with_mean(first)['mean'][shots[0]])} points on the mean"
    return (
        shown("random / suggested", shots, *both) + f"\n{at}; the lowest gain is {lowest(first)}.\n"
    )


def names(results: Results) -> str:
    """Accuracy of auto less that of the class names alone, in points."""
    gains = less(values(results, "accuracy"), values(results, "accuracy", "zero-shot"))
    shots = list(next(iter(gains.values())))
    return (
        shown("auto less zero-shot", shots, gains, write=signed)
        + f"\nThe lowest cell is {lowest(gains)}.\n"
    )


def more_shots(results: Results) -> str:
    """Accuracy of auto at each number of shots less that at the one before, in points."""
    rows = values(results, "accuracy")
    steps: Rows = {
        name: {b: row[b] - row[a] for a, b in pairwise(row)} for name, row in rows.items()
    }
    pairs = list(pairwise(next(iter(rows.values()))))
    head = ["auto", *(f"{a} → {b}" for a, b in pairs)]
    lines = [[name, *(signed(row[b]) for _, b in pairs)] for name, row in steps.items()]
    value, name, k = min(
        (value, name, k) for name, row in steps.items() for k, value in row.items()
    )
    before = {b: a for a, b in pairs}[k]
    return table(head, lines) + f"\nThe lowest step is {signed(value)} ({name}, {before} → {k}).\n"


def elsewhere(results: Sequence[Result], methods: Sequence[str]) -> str:
    """Accuracy of some methods, and coverage of auto, on queries of another kind."""
    of = {"": results}
    rows: Rows = {f"{m}: accuracy": values(of, "accuracy", m)[""] for m in methods}
    rows["auto: coverage"] = values(of, "coverage")[""]
    return shown("%", list(rows["auto: coverage"]), rows)


def _shots(k: int) -> str:
    return f"{k} shot" + ("" if k == 1 else "s")
