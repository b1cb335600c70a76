"""The image tower as it is and as it could be, in turns with the peaks of the processor."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import get_args

from adapters.engines import Eager
from adapters.engines.precisions import computed_in
from adapters.recipe import Precision, Recipe
from benchmarks.floor import Floor, Way
from benchmarks.limits import roofline
from benchmarks.limits.operations import BYTES, Layer, image_tower, layers
from benchmarks.limits.processor import (
    SIDES,
    Bandwidth,
    Kernels,
    bandwidth,
    cores,
    matrix_products,
)
from benchmarks.limits.record import Pass, Processor, Tower
from benchmarks.photographs import queries
from service.encoder import load_encoder
from service.settings import Settings

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
BATCH = 8
_BRIEF = 0.15


@dataclass(frozen=True, slots=True)
class Engine:
    """The service's engine in a precision, and how it is quickest."""

    tower: str
    precision: Precision
    floor: Floor
    way: Way


def measure(
    backbones: dict[str, str], rounds: int, seconds: float
) -> tuple[Processor, dict[str, Tower]]:
    """Peaks of the processor, and each tower in each precision beside them.

    Args:
        backbones: Names for the table, and the setting ``HANDFUL_BACKBONE`` of each.
        rounds: How often everything is measured.
        seconds: Of each measurement of a tower.
    """
    try:
        kernels = Kernels()
    except OSError as error:
        print(f"instructions are not measured: {error}")
        kernels = None
    processor, towers, engines = Processor(), {}, []
    counted: dict[tuple[str, int], list[Layer]] = {}
    for name, backbone in backbones.items():
        graph = image_tower(backbone)
        counted.update({(name, batch): layers(graph, batch) for batch in (1, BATCH)})
        towers[name] = _counted(counted[name, 1], name == "lite")
        for precision in PRECISIONS:
            engine = _engine(name, backbone, precision, seconds)
            if isinstance(engine, Engine):
                engines.append(engine)
                towers[name].passes.append(_empty(engine))
            else:
                towers[name].missing[precision] = engine
    for _ in range(rounds):
        _peaks(processor, kernels)
        for engine in engines:
            into = _of(towers, engine)
            into.ours.append(engine.floor.forward_rate(engine.way, seconds))
            into.ours_one.append(engine.floor.one_by_one(seconds / 2)[1])
    for engine in engines:
        one, many = (counted[engine.tower, batch] for batch in (1, BATCH))
        limit(_of(towers, engine), one, many, processor)
    return processor, towers


def limit(into: Pass, one: list[Layer], many: list[Layer], processor: Processor) -> None:
    """Write the limits, which are the same for all rounds.

    Args:
        into: Of a tower in a precision, measured.
        one: Layers of a lone image.
        many: Layers of a batch.
        processor: Its peaks.
    """
    peak = processor.peak(into.precision)
    width = next(size for name, size in BYTES.items() if name == into.precision)
    sizes = sorted(processor.bandwidth)
    memory = Bandwidth(sizes, [max(processor.bandwidth[size]) for size in sizes])
    rounds = len(into.ours)
    into.arithmetic = [BATCH / roofline.arithmetic(many, peak)] * rounds
    into.layers = [BATCH / roofline.by_layers(many, peak, memory, width, cores())] * rounds
    share = roofline.bound_by_memory(many, peak, memory, width, cores())
    into.memory_share = [share] * rounds
    into.layers_one = [roofline.by_layers(one, peak, memory, width, cores())] * rounds


def _of(towers: dict[str, Tower], engine: Engine) -> Pass:
    return next(p for p in towers[engine.tower].passes if p.precision == engine.precision)


def _counted(of_one: list[Layer], corrected: bool) -> Tower:
    return Tower(
        embeddings=2 if corrected else 1,
        macs=sum(layer.macs for layer in of_one),
        depthwise=sum(layer.macs for layer in of_one if layer.depthwise),
        weights=sum(layer.weights for layer in of_one),
        moved=sum(layer.read + layer.written for layer in of_one),
        passes=[],
    )


def _engine(name: str, backbone: str, precision: Precision, seconds: float) -> Engine | str:
    """The engine at its quickest way, or why there is none."""
    if computed_in(precision) != precision:
        return "not computed here: no such instructions, or NNCF is not installed"
    try:
        encoder = load_encoder(Settings(backbone=backbone, device="cpu"), Recipe(precision))
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    if encoder.engine == Eager.name:
        return "OpenVINO does not compute in it here"
    floor = Floor(encoder, queries(16))
    ways = [Way(BATCH, count) for count in sorted({1, encoder.passes})]
    for way in ways:
        floor.forward_rate(way, 0)
    rates = {way: floor.forward_rate(way, seconds / 2) for way in ways}
    return Engine(name, precision, floor, max(rates, key=lambda way: rates[way]))


def _empty(engine: Engine) -> Pass:
    values = dict.fromkeys(
        ("arithmetic", "layers", "ours", "layers_one", "ours_one", "memory_share"), ()
    )
    return Pass(
        precision=engine.precision,
        batch=engine.way.batch,
        at_a_time=engine.way.threads,
        **{name: list(value) for name, value in values.items()},
    )


def _peaks(processor: Processor, kernels: Kernels | None) -> None:
    """A round of the processor's peaks."""
    for precision in PRECISIONS:
        if kernels is not None:
            rate = kernels.products(precision, _BRIEF)
            if rate:
                processor.instructions.setdefault(precision, []).append(rate)
        rate = max(matrix_products(precision, side, _BRIEF) for side in SIDES)
        if rate:
            processor.matrices.setdefault(precision, []).append(rate)
    memory = bandwidth(kernels, _BRIEF / 2)
    found: defaultdict[int, list[float]] = defaultdict(list, processor.bandwidth)
    for size, rate in zip(memory.sizes, memory.rates, strict=True):
        found[size].append(rate)
    processor.bandwidth = dict(found)
