"""What a processor could do at best: operations counted, rooflines, records and their page."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from adapters.engines import openvino
from benchmarks.limits import page, record, roofline
from benchmarks.limits.operations import Layer, layers
from benchmarks.limits.passes import BATCH, limit
from benchmarks.limits.processor import BLOCKS, Bandwidth, Kernels
from benchmarks.limits.record import Around, Compared, Pass, Processor, Record, Tower
from benchmarks.limits.servers import NotAnswered, throughput
from benchmarks.load import Plan, Report, Request, load, running
from benchmarks.load.service import PORT
from benchmarks.peers.catalogue import Peer, peers
from benchmarks.peers.environments import pins
from benchmarks.peers.models import Weights
from benchmarks.peers.started import memory, started

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


class Convolutions(nn.Module):
    """8 x 8 pixels: 3 to 6 channels at stride 2, each of the six by itself, then 6 to 10."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)
        self.depthwise = nn.Conv2d(6, 6, 5, padding=2, groups=6, bias=False)
        self.linear = nn.Linear(6, 10, bias=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        images = pixels.permute(0, 3, 1, 2).float()
        found = self.linear(self.depthwise(self.dense(images)).relu().mean(dim=(2, 3)))
        return found, found


class Attention(nn.Module):
    """16 tokens of 12 numbers, one head."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(12, 12, bias=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        tokens = pixels.float().reshape(-1, 16, 12)
        queries = self.project(tokens)
        found = nn.functional.scaled_dot_product_attention(queries, tokens, tokens)
        return found.sum(dim=1), found.mean(dim=1)


def test_convolutions_are_counted_as_by_hand() -> None:
    found = layers(openvino.convert(Convolutions().eval(), 8, 8), 5)
    assert [layer.macs for layer in found] == [
        5 * 6 * 4 * 4 * (3 * 3 * 3),
        5 * 6 * 4 * 4 * (5 * 5),
        5 * 10 * 6,
    ]
    assert [layer.weights for layer in found] == [6 * 3 * 3 * 3, 6 * 5 * 5, 60]
    # The edge of zeros around an image is nothing that is read.
    assert [layer.read for layer in found] == [5 * 3 * 8 * 8, 5 * 6 * 4 * 4, 5 * 6]
    assert [layer.written for layer in found] == [5 * 6 * 4 * 4, 5 * 6 * 4 * 4, 5 * 10]
    assert [layer.depthwise for layer in found] == [False, True, False]


def test_attention_is_counted_as_by_hand() -> None:
    found = layers(openvino.convert(Attention().eval(), 8, 8), 2)
    assert sum(layer.macs for layer in found) == 2 * (16 * 12 * 12 + 2 * 16 * 16 * 12)
    assert sum(layer.weights for layer in found) == 12 * 12


def test_a_layer_takes_as_long_as_the_slower_of_products_and_bytes() -> None:
    bandwidth = Bandwidth((100, 1000), (50.0, 10.0))
    products = Layer("Convolution", macs=900, weights=0, read=10, written=10)  # 80 bytes, 1.6 s
    bytes_ = Layer("GroupConvolution", macs=10, weights=0, read=100, written=100)  # 800 bytes
    assert roofline.arithmetic([products, bytes_], peak=100.0) == pytest.approx(9.1)
    found = roofline.by_layers([products, bytes_], 100.0, bandwidth, 4, 1)
    assert found == pytest.approx(9 + 80)
    share = roofline.bound_by_memory([products, bytes_], 100.0, bandwidth, 4, 1)
    assert share == pytest.approx(80 / 89)


def test_weights_come_from_where_all_of_them_fit() -> None:
    bandwidth = Bandwidth((100, 1000), (50.0, 10.0))
    layer = Layer("MatMul", macs=1, weights=20, read=0, written=0)
    alone = roofline.by_layers([layer], 1e9, bandwidth, 4, 1)
    assert alone == pytest.approx(80 / 50)
    assert roofline.by_layers([layer] * 3, 1e9, bandwidth, 4, 1) == pytest.approx(240 / 10)
    # Two cores keep half of them each.
    assert roofline.by_layers([layer] * 2, 1e9, bandwidth, 4, 2) == pytest.approx(160 / 50)


@given(
    st.lists(st.floats(1.0, 1e12), min_size=1, max_size=6),
    st.floats(1.0, 1e9),
    st.lists(
        st.builds(
            Layer,
            st.just("Convolution"),
            st.integers(1, 10**9),
            *[st.integers(0, 10**6)] * 3,
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_no_roofline_is_under_its_products(
    rates: Sequence[float], peak: float, counted: list[Layer]
) -> None:
    bandwidth = Bandwidth([10**i for i in range(len(rates))], rates)
    least = roofline.arithmetic(counted, peak)
    for width in (1, 4):
        found = roofline.by_layers(counted, peak, bandwidth, width, 2)
        assert found >= least * (1 - 1e-9)
        assert 0 <= roofline.bound_by_memory(counted, peak, bandwidth, width, 2) <= 1 + 1e-9
    narrow, wide = (roofline.by_layers(counted, peak, bandwidth, width, 2) for width in (1, 4))
    assert narrow <= wide * (1 + 1e-9)


def test_a_bandwidth_is_never_below_that_of_larger_blocks() -> None:
    bandwidth = Bandwidth((10, 100, 1000), (5.0, 7.0, 2.0))
    assert [bandwidth.at(size) for size in (1, 10, 11, 100, 500, 10**6)] == [7, 7, 7, 7, 2, 2]


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_the_kernels_compute_what_they_say() -> None:
    kernels = Kernels()
    assert kernels.products("float32", 0.0) > 0
    library = kernels._library
    assert library.macs_float32() in (12 * 8, 12 * 16)
    assert library.run_float32(10) == pytest.approx(10 * 1e-18, rel=1e-5)
    assert kernels.read(BLOCKS[0], 0.0) > 0
    assert kernels.copy(BLOCKS[0], 0.0) > 0


def one_machine(processor: str, factor: float = 1.0) -> Record:
    """A record whose figures are easily told."""
    machine = {"processor": processor, "cores": 2, "python": "3.11", "packages": {"torch": "2"}}
    passed = Pass(
        precision="float32",
        arithmetic=[250.0] * 3,
        layers=[200.0] * 3,
        ours=[100.0 * factor, 120.0 * factor, 80.0 * factor],
        layers_one=[0.004] * 3,
        ours_one=[0.008] * 3,
        memory_share=[0.1] * 3,
        batch=8,
        at_a_time=2,
    )
    halved = passed.model_copy(update={"precision": "bfloat16", "ours": [200.0 * factor] * 3})
    tower = Tower(
        embeddings=2, macs=500_000_000, depthwise=50_000_000, weights=4_000_000, moved=14_000_000,
        passes=[passed, halved], missing={"int8": "not here"},
    )  # fmt: skip
    three = {name: [0.001] * 3 for name in Around.model_fields}
    slow = Compared(
        server="slow", tower="lite", version="1.0", note="slowly", many=[10.0, 20.0],
        many_handful=[40.0, 60.0], one=[0.1, 0.1], one_handful=[0.05, 0.02], memory=1000.0,
        memory_handful=500.0,
    )  # fmt: skip
    broken = Compared(server="broken", tower="lite", reason="no | such thing")
    return Record(
        machine=machine,
        commands={"passes": "python -m benchmarks.limits"},
        processor=Processor(
            instructions={"float32": [100e9, 110e9], "bfloat16": [200e9, 190e9]},
            matrices={"float32": [90e9, 120e9]},
            bandwidth={2**18: [200e9], 2**28: [20e9]},
        ),
        towers={"lite": tower},
        around=Around(**three),
        servers={"lite/slow": slow, "lite/broken": broken},
    )


def test_a_peak_is_the_best_of_both_ways_and_of_all_rounds() -> None:
    processor = one_machine("A").processor
    assert processor.peak("float32") == 120e9
    assert processor.peak("bfloat16") == 200e9
    assert processor.peak("int8") == 120e9  # what has none is computed in float32


def test_limits_rest_on_the_best_round_of_peaks() -> None:
    found = one_machine("A")
    (passed, _) = found.towers["lite"].passes
    found.processor.bandwidth = {100: [1e9, 5e9], 10**9: [1e9]}
    layer = Layer("Convolution", macs=60 * 10**9, weights=0, read=1, written=1)
    limit(passed, [layer], [layer], found.processor)
    assert passed.arithmetic == [BATCH / 0.5] * 3
    assert passed.layers == passed.arithmetic
    assert passed.layers_one == [0.5] * 3
    assert passed.memory_share == [0.0] * 3


def test_ratios_are_of_each_round() -> None:
    found = dict(page.ratios(one_machine("A")))
    assert found["`lite`, float32: engine / limit by layers"] == [0.5, 0.6, 0.4]
    assert found["`lite`, bfloat16: engine / engine in float32"] == pytest.approx([2, 5 / 3, 2.5])
    assert found["`lite`, slow: Handful, float32 / it, 32 connections"] == [4.0, 3.0]
    assert found["`lite`, slow: its p50 / Handful's, one connection"] == [2.0, 5.0]
    assert not any("broken" in name for name in found)


def test_machines_stand_beside_each_other(tmp_path: Path) -> None:
    for name, factor in (("B (avx2)", 0.5), ("A (avx2, avx512f)", 1.0)):
        record.write(one_machine(name, factor), tmp_path)
    record.write(one_machine("B (avx2)", 0.25), tmp_path)  # in the place of the one before
    every = record.every(tmp_path)
    assert [one.machine["processor"] for one in every] == ["A (avx2, avx512f)", "B (avx2)"]
    assert every[0] == one_machine("A (avx2, avx512f)")
    text = page.part(every)
    lines = text.splitlines()
    (row,) = [line for line in lines if "`lite`, float32: engine / limit" in line]
    assert "0.5 (0.4 to 0.6)" in row
    assert "0.125 (0.1 to 0.15)" in row
    assert [line for line in lines if line.startswith("### ")] == [
        "### A, 2 cores",
        "### B, 2 cores",
    ]
    assert "does not run: no \\| such thing" in text
    assert "not here" in text


def test_only_the_measured_part_of_the_page_is_written_anew() -> None:
    before = PAGE.read_text()
    after = page.filled(before, "new")
    assert "\nnew\n" in after
    assert before.split(page.BEGIN)[0] == after.split(page.BEGIN)[0]
    assert page.filled(after, "new") == after
    with pytest.raises(ValueError, match="0 times"):
        page.filled("no markers", "new")


def test_all_records_of_the_repository_can_be_read_and_shown() -> None:
    assert page.part(record.every())


def test_every_peer_is_pinned_and_asked_about_a_picture() -> None:
    known = peers(Weights(Path("a"), Path("b")))
    assert known.keys() == pins().keys()
    for name, peer in known.items():
        assert any(pin.startswith(f"{peer.package}==") for pin in pins()[name])
        assert all("==" in pin for pin in pins()[name])
        request = peer.ask(b"jpeg")
        assert request.head.endswith(b"\r\n\r\n")
        assert f"content-length: {len(request.body)}\r\n".encode() in request.head
        assert request.head.count(b"\r\n\r\n") == 1


def test_products_grow_with_the_batch() -> None:
    model = openvino.convert(Convolutions().eval(), 8, 8)
    one, three = ([layer.macs for layer in layers(model, n)] for n in (1, 3))
    assert three == [3 * macs for macs in one]


def test_a_throughput_does_not_depend_on_where_batches_end() -> None:
    report = Report(1.0, [2.0, 4.0], {"200": 2}, 0.0, 0.0)
    assert throughput(report, 30) == 10.0
    for outcomes in ({"200": 2, "503": 1}, {}):
        with pytest.raises(NotAnswered, match="30 connections"):
            throughput(Report(1.0, [2.0] * (len(outcomes) > 1), outcomes, 0.0, 0.0), 30)


def test_the_minimal_server_answers_each_request() -> None:
    command = [sys.executable, "-m", "benchmarks.limits.minimal_http", PORT]
    with running(command, "/") as service:
        request = Request.post("/any", b"x" * 100_000, "image/jpeg")
        report = load(Plan(service.port, [request], 3, 0.2, 0.0))
    assert report.outcomes.keys() == {"200"}


def test_a_peer_ends_with_all_its_processes(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    program = (
        "import subprocess, sys; from benchmarks.limits.minimal_http import _serve; import asyncio;"
        "subprocess.Popen([sys.executable, '-c', 'x = bytes(2**26); import time; time.sleep(60)']);"
        "asyncio.run(_serve(int(sys.argv[1])))"
    )
    command = ("python", "-c", program, PORT)
    peer = Peer("x", command, "/", lambda file: Request.post("/", file, "image/jpeg"), {}, "")
    with started(peer, tmp_path) as service:
        (child,) = psutil.Process(service.process.pid).children()
        assert memory(service) > psutil.Process(service.process.pid).memory_full_info().pss / 2**20
        assert child.is_running()
    assert not child.is_running()
