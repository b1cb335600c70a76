"""Results as tables with titles for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from service.datasets.dataset import Dataset
from service.evaluation.few_shot_protocol import FewShotProtocol, Result
from service.evaluation.summary import Estimate, pooled_calibration_error, summarise
from service.presentation.wording import quantity

MISSING = "–"


def tables(
    dataset: Dataset, protocol: FewShotProtocol, results: Sequence[Result]
) -> Iterator[Group]:
    """Tables of results: accuracy, calibration error, cross-entropy, and what else was measured."""
    draws = len(protocol.seeds)
    one = draws == 1
    interval = "one draw" if one else f"mean ± half of its 95 % interval, {draws} draws"
    mean = "one draw" if one else f"mean of {draws} draws"
    yield _table(
        f"{described(dataset, protocol)}\naccuracy in %, {interval}",
        protocol,
        [_by_method(results, protocol, "accuracy", with_interval)],
        caption=_used_up(dataset, protocol),
    )
    errors = _by_method(results, protocol, "ece", mean_percent)
    pooled = pooled_calibration_error(results)
    together = {
        method: [f"{100 * pooled[method, k]:.1f}" for k in protocol.shots]
        for method in protocol.methods
    }
    yield _table(
        f"expected calibration error in %, {mean}" + ("" if one else " / of all draws together"),
        protocol,
        [errors if one else _pairs(errors, together)],
    )
    yield _table(
        f"cross-entropy in nats, {mean}",
        protocol,
        [_by_method(results, protocol, "cross_entropy", lambda value: f"{value.mean:.2f}")],
    )
    if protocol.coverage is not None:
        held = _by_method(results, protocol, "coverage", mean_percent)
        sizes = _by_method(results, protocol, "set_size", lambda size: f"{size.mean:.1f}")
        yield _table(
            f"prediction sets, {100 * protocol.coverage:g} % asked\n"
            f"coverage in % / mean number of classes, {mean}",
            protocol,
            [_pairs(held, sizes)],
        )
    if protocol.leave_classes_out is not None:
        yield _table(
            "queries of classes left out against the others, "
            f"{100 * protocol.false_rejection_rate:g} % false rejections asked\n"
            f"in %, {interval}",
            protocol,
            [
                _one_row(_by_method(results, protocol, "auroc", with_interval), "AUROC"),
                _one_row(
                    _by_method(results, protocol, "rejected_known", with_interval), "known rejected"
                ),
                _one_row(
                    _by_method(results, protocol, "rejected_unknown", with_interval),
                    "unknown rejected",
                ),
            ],
        )


def described(dataset: Dataset, protocol: FewShotProtocol) -> str:
    """The data set, where queries are from, and how many classes there are."""
    n = len(dataset.labels)
    source = f", queries from {dataset.queries_from}" if dataset.queries_from else ""
    support = ", suggested support images" if protocol.suggested else ""
    if protocol.leave_classes_out is None:
        return f"{dataset.name}{source}, {n} classes{support}"
    share = f"{100 * protocol.leave_classes_out:g} % left out"
    return f"{dataset.name}{source}, {n} classes, {share}{support}"


def with_interval(value: Estimate) -> str:
    """Mean and half of its confidence interval in percent: ``84.9 ± 1.2``; or the mean alone."""
    interval = "" if value.half_width is None else f" ± {100 * value.half_width:.1f}"
    return f"{100 * value.mean:.1f}{interval}"


def mean_percent(value: Estimate) -> str:
    """Mean in percent: ``84.9``."""
    return f"{100 * value.mean:.1f}"


def _by_method(
    results: Sequence[Result],
    protocol: FewShotProtocol,
    metric: str,
    write: Callable[[Estimate], str],
) -> dict[str, list[str]]:
    """A row of cells, one for each number of shots, for each method."""
    estimates = summarise(results, metric)
    return {
        method: [
            write(estimates[method, k]) if (method, k) in estimates else MISSING
            for k in protocol.shots
        ]
        for method in protocol.methods
    }


def _pairs(first: Mapping[str, list[str]], second: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Both in one cell: ``4.8 / 2.9``."""
    return {
        method: [f"{a} / {b}" for a, b in zip(cells, second[method], strict=True)]
        for method, cells in first.items()
    }


def _one_row(rows: Mapping[str, list[str]], name: str) -> dict[str, list[str]]:
    """One row for all methods where they all have the same cells, as familiarity is no head's."""
    if len({tuple(cells) for cells in rows.values()}) == 1:
        return {name: next(iter(rows.values()))}
    return {f"{name}, {method}": cells for method, cells in rows.items()}


def _table(
    title: str,
    protocol: FewShotProtocol,
    groups: Sequence[Mapping[str, list[str]]],
    caption: str | None = None,
) -> Group:
    return table_of(title, protocol.shots, groups, caption)


def table_of(
    title: str,
    shots: Sequence[int],
    groups: Sequence[Mapping[str, list[str]]],
    caption: str | None = None,
) -> Group:
    """A table with a column for each number of shots.

    Args:
        title: Above it.
        shots: The columns.
        groups: Cells by the name of a row.
        caption: Below it.
    """
    # Five columns of "84.9 ± 12.3" fit into 80 characters.
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True)
    for k in shots:
        table.add_column(quantity(k, "shot"), justify="right")
    for group in groups:
        for name, cells in group.items():
            table.add_row(name, *cells, style="bold" if name == "auto" else None)
    # Not the table's own title and caption, which are no wider than it.
    return Group(Text(title, "bold"), table, *([] if caption is None else [Text(caption)]))


def _used_up(dataset: Dataset, protocol: FewShotProtocol) -> str | None:
    """Where an interval over draws says nothing, because all draws are the same."""
    if len(protocol.seeds) == 1 or protocol.leave_classes_out is not None or protocol.suggested:
        return None
    same = [str(k) for k in protocol.shots if dataset.is_used_up(k)]
    if not same:
        return None
    return f"At {', '.join(same)} shots every draw takes all training images."
