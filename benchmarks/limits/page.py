"""Records of machines as the part of a page: limit, Handful, others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from benchmarks.limits.record import Compared, Pass, Record, Tower
from benchmarks.results_page import table

REFERENCE = "float32"
"""Precision of the Handful that each server is measured beside."""
BEGIN, END = "<!-- measured: limits -->", "<!-- end -->"
_PART = re.compile(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.DOTALL)
_NONE = "–"


def filled(page: str, text: str) -> str:
    """The page with a new measured part.

    Args:
        page: Has ``<!-- measured: limits -->`` and ``<!-- end -->`` around it, once.
        text: The part.

    Raises:
        ValueError: It has not.
    """
    if page.count(BEGIN) != 1:
        raise ValueError(f"the page has {BEGIN} {page.count(BEGIN)} times, not once")
    return _PART.sub(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", page)


def part(records: Sequence[Record]) -> str:
    """All machines: first the ratios over them, then each by itself."""
    blocks = [_ratios(records), *(block for record in records for block in _machine(record))]
    return "\n\n".join(block.strip() for block in blocks if block.strip()) + "\n"


def spread(values: Sequence[float], scale: float = 1.0, digits: int = 3) -> str:
    """The median with the lowest and the highest of the rounds."""
    if not values:
        return _NONE
    low, middle, high = (scale * f(values) for f in (min, median, max))
    shown, lowest, highest = (_short(value, digits) for value in (middle, low, high))
    return shown if lowest == highest else f"{shown} ({lowest} to {highest})"


def over(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio in each round."""
    return [a / b for a, b in zip(above, below, strict=True)]


def ratios(record: Record) -> Iterator[tuple[str, list[float]]]:
    """The ratios that can be compared between machines, by what they are of."""
    for name, tower in record.towers.items():
        for one in tower.passes:
            yield (
                f"`{name}`, {one.precision}: engine / limit by layers",
                over(one.ours, one.layers),
            )
        reference = next((p for p in tower.passes if p.precision == REFERENCE), None)
        for one in tower.passes:
            if reference is not None and one is not reference:
                yield (
                    f"`{name}`, {one.precision}: engine / engine in float32",
                    over(one.ours, reference.ours),
                )
    for server in _running(record.servers.values()):
        named = f"`{server.tower}`, {server.server}"
        ours = over(server.many_handful, server.many)
        yield f"{named}: Handful, float32 / it, 32 connections", ours
        yield f"{named}: its p50 / Handful's, one connection", over(server.one, server.one_handful)


def _ratios(records: Sequence[Record]) -> str:
    if not records:
        return "Not measured yet."
    every = [dict(ratios(record)) for record in records]
    names = list(dict.fromkeys(name for found in every for name in found))
    rows = [[name, *(spread(found.get(name, [])) for found in every)] for name in names]
    head = ["ratio within a round", *(_title(record) for record in records)]
    return "**Ratios, all machines.**\n\n" + table(head, rows)


def _machine(record: Record) -> Iterator[str]:
    machine = record.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    commands = "\n".join(f"    {command}" for command in dict.fromkeys(record.commands.values()))
    yield (
        f"### {_title(record)}\n\n{machine['processor']}, {machine['cores']} cores; "
        f"Python {machine['python']}, {packages}.\n\n{commands}"
    )
    if record.processor.bandwidth:
        yield _processor(record)
    if record.towers:
        yield _towers(record)
    if record.around is not None:
        yield _around(record)
        yield _queries(record)
    if record.servers:
        yield _servers(record)


def _title(record: Record) -> str:
    model = re.sub(r"\s*\(.*", "", record.machine["processor"])
    return f"{model}, {record.machine['cores']} cores"


def _processor(record: Record) -> str:
    found = record.processor
    rows = [
        [
            precision,
            spread(found.instructions.get(precision, []), 1e-9),
            spread(found.matrices.get(precision, []), 1e-9),
        ]
        for precision in ("float32", "bfloat16", "int8")
    ]
    blocks = {
        "L2, 256 KiB a core": 2**18,
        "L3, 4 MiB a core": 2**22,
        "memory": max(found.bandwidth),
    }
    moved = [
        f"{spread(found.bandwidth.get(size, []), 1e-9)} ({name})" for name, size in blocks.items()
    ]
    return (
        "Peak, thousand million multiply-adds a second, all cores:\n\n"
        + table(["precision", "instructions on registers", "products of matrices, PyTorch"], rows)
        + f"\nBandwidth, GB/s, all cores: {'; '.join(moved)}."
    )


def _towers(record: Record) -> str:
    rows = []
    for name, tower in record.towers.items():
        rows += [[f"`{name}`, {one.precision}", *_pass(one)] for one in tower.passes]
        rows += [
            [f"`{name}`, {precision}", reason, *[_NONE] * 5]
            for precision, reason in tower.missing.items()
        ]
    head = (
        *("images/s at batch 8", "limit of products", "limit by layers", "Handful's engine"),
        *("of the limit by layers", "the same of a lone image", "% of the limit bound by memory"),
    )
    told = "\n".join(_told(name, tower) for name, tower in record.towers.items())
    return f"{told}\n\n{table(head, rows)}"


def _pass(one: Pass) -> list[str]:
    return [
        spread(one.arithmetic),
        spread(one.layers),
        spread(one.ours),
        spread(over(one.ours, one.layers)),
        spread(over(one.layers_one, one.ours_one)),
        spread(one.memory_share, 100, 2),
    ]


def _told(name: str, tower: Tower) -> str:
    share = tower.depthwise / tower.macs
    depthwise = f", {100 * share:.0f} % of them in depthwise convolutions" if share else ""
    both = "both embeddings" if tower.embeddings > 1 else "one embedding"
    return (
        f"- `{name}`, {both}: {tower.macs / 1e6:.0f} million multiply-adds an image{depthwise}; "
        f"{tower.weights / 1e6:.1f} million weights; its layers read and write "
        f"{tower.moved / 1e6:.1f} million numbers for an image."
    )


def _around(record: Record) -> str:
    around = record.around
    assert around is not None
    rows = [
        ["JPEG of 224 pixels, ms", spread(around.decode, 1e3), spread(around.prepare, 1e3)],
        [
            "JPEG of 640 × 480, ms",
            spread(around.decode_large, 1e3),
            spread(around.prepare_large, 1e3),
        ],
        ["HTTP, µs a request at 32 connections", spread(around.parse, 1e6), _NONE],
        ["the load generator, µs a request", spread(around.generator, 1e6), _NONE],
    ]
    head = ["processor time", "libjpeg-turbo alone; httptools alone", "Handful, with resizing"]
    return table(head, rows)


def _queries(record: Record) -> str:
    """What a lone query and 32 connections could get, from the parts."""
    around, cores = record.around, record.machine["cores"]
    assert around is not None
    rows = []
    for name, tower in record.towers.items():
        for one in tower.passes:
            surroundings = zip(around.decode, around.parse_one, around.parse, strict=True)
            least = [(decode, alone, parse) for decode, alone, parse in surroundings]
            turns = range(min(len(least), len(one.layers)))
            alone = [least[i][0] + least[i][1] + one.layers_one[i] for i in turns]
            with_ours = [least[i][0] + least[i][1] + one.ours_one[i] for i in turns]
            limit = [1 / (1 / one.layers[i] + (least[i][0] + least[i][2]) / cores) for i in turns]
            engine = [1 / (1 / one.ours[i] + (least[i][0] + least[i][2]) / cores) for i in turns]
            many, lone = _of_handful(record, name, one.precision)
            rows.append([
                f"`{name}`, {one.precision}",
                spread(alone, 1e3),
                spread(with_ours, 1e3),
                spread(lone, 1e3),
                spread(limit),
                spread(engine),
                spread(many),
            ])  # fmt: skip
    head = (
        "decode + pass + parse",
        *("limit, ms", "with our engine, ms", "Handful's p50, ms"),
        *("limit at 32, images/s", "with our engine", "Handful"),
    )
    return table(head, rows)


def _of_handful(record: Record, tower: str, precision: str) -> tuple[list[float], list[float]]:
    """Answers a second at 32 connections and seconds of one, of all rounds."""
    if precision == REFERENCE:
        beside = [s for s in _running(record.servers.values()) if s.tower == tower]
        return [x for s in beside for x in s.many_handful], [
            x for s in beside for x in s.one_handful
        ]
    found = record.servers.get(f"{tower}/Handful, {precision}")
    return (found.many, found.one) if found else ([], [])


def _servers(record: Record) -> str:
    rows = []
    for server in record.servers.values():
        named = f"{server.server} {server.version}".strip()
        if server.reason:
            reason = server.reason.replace("|", "\\|")
            rows.append([f"`{server.tower}`", named, f"does not run: {reason}", *[_NONE] * 4])
            continue
        rows.append([
            f"`{server.tower}`",
            named,
            spread(server.many),
            spread(over(server.many_handful, server.many)),
            spread(server.one, 1e3),
            spread(over(server.one, server.one_handful)),
            f"{server.memory:.0f} ({server.memory_handful:.0f})",
        ])  # fmt: skip
    head = (
        *("model", "server", "images/s at 32"),
        *("Handful, float32 / it", "p50 at one, ms", "it / Handful, float32"),
        "memory, MiB (Handful's)",
    )
    notes = {f"{s.server}: {s.note}" for s in record.servers.values() if s.note}
    return table(head, rows) + "\n" + "\n".join(f"- {note}." for note in sorted(notes))


def _running(servers: Iterable[Compared]) -> list[Compared]:
    return [server for server in servers if not server.reason]


def _short(value: float, digits: int) -> str:
    """With so many significant digits, and no exponent."""
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in text else text
