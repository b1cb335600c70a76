"""The engine of a GPU: how it is chosen, and, where there is one, what it computes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from adapters.backbones import Backbone, DualEncoder
from adapters.backbones.framing import Framing
from adapters.corrections.bottleneck import Adapted, attach
from adapters.engines import Eager, ImagePass, cuda, selection
from adapters.engines.agreement import LEAST_COSINE, one_by_one, probes
from adapters.engines.compiled import EmbedPixels, compiled
from adapters.engines.cuda import SIZES, Cuda, recordings
from adapters.engines.graph_stream import padded_size, record_sizes
from adapters.engines.selection import fastest
from adapters.loading import load_backbone, load_dual_encoder
from tests.gpu import needs_gpu
from tests.tiny_vit import write_tiny_vit

CPU, SIZE = torch.device("cpu"), (32, 32)


def pictures(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, *SIZE, 3), generator=generator).to(torch.uint8)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'))}"


def adapted(vit: str) -> tuple[DualEncoder, Adapted]:
    """A dual encoder and an adapter that makes a difference."""
    encoder = load_dual_encoder(vit)
    torch.manual_seed(0)
    adapter = attach(encoder.visual.eval())
    for layer in adapter.layers:
        nn.init.normal_(layer.get_submodule("up").weight)  # type: ignore[arg-type]
    return encoder, Adapted(adapter)


def image_pass(vit: str) -> ImagePass:
    encoder, correction = adapted(vit)
    framing = Framing(encoder.preprocess)
    visual = encoder.visual.requires_grad_(False)
    return ImagePass(visual, correction, framing.mean, framing.std).eval()


class FakeGraphStream:
    """Stands for one of a GPU: computes on the processor, at sizes that there is room for."""

    room: Sequence[int] = (SIZES[-1], SIZES[-1])
    made: list[FakeGraphStream]

    def __init__(self, pass_of: Any, _device: object, _size: object, sizes: Sequence[int]) -> None:
        number = len(self.made) % cuda.STREAMS
        if number >= len(self.room):
            raise torch.OutOfMemoryError("no memory")
        self.sizes = tuple(size for size in sizes if size <= self.room[number])
        self._pass_of = pass_of
        self.batches: list[int] = []
        self.made.append(self)

    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        self.batches.append(len(pixels))
        run: EmbedPixels = self._pass_of(len(pixels))
        with torch.inference_mode():
            return run(pixels)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraphStream]:
    made: list[FakeGraphStream] = []
    monkeypatch.setattr(FakeGraphStream, "made", made, raising=False)
    monkeypatch.setattr(cuda, "GraphStream", FakeGraphStream)
    return made


def test_sizes_without_memory_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    tried, freed = [], []

    def record(n: int) -> str:
        tried.append(n)
        if n > 16:
            raise torch.OutOfMemoryError("too much")
        return f"of {n}"

    with caplog.at_level(logging.WARNING):
        recorded = record_sizes(record, (1, 16, 64, 256), lambda: freed.append(tried[-1]))
    assert recorded == {16: "of 16", 1: "of 1"}
    assert tried == [256, 64, 16, 1]
    assert freed == [256, 64]
    assert "no memory for passes of 64 images" in caplog.text
    with pytest.raises(torch.OutOfMemoryError):
        record_sizes(record, (32, 64), lambda: None)


def test_batches_are_cut_to_what_a_stream_has_room_for(
    streams: list[FakeGraphStream], monkeypatch: pytest.MonkeyPatch, vit: str
) -> None:
    monkeypatch.setattr(FakeGraphStream, "room", (64, 8))
    reference = image_pass(vit)
    engine = Cuda(reference, CPU, SIZE)
    assert (engine.passes, engine.batch) == (2, 8)
    pixels = pictures(21)
    for _ in streams:
        torch.testing.assert_close(engine(pixels), Eager(reference)(pixels), atol=1e-5, rtol=0)
    assert [stream.batches for stream in streams] == [[16, 4, 1], [8, 8, 4, 1]]


def test_a_batch_between_sizes_is_cut_where_filling_it_up_costs_more() -> None:
    cut = {n: recordings(n, SIZES) for n in range(1, 1200)}
    assert (cut[1], cut[7], cut[20], cut[150]) == ([1], [7], [16, 4], [128, 16, 6])
    assert (cut[60], cut[200], cut[250], cut[256]) == ([60], [128, 64, 8], [250], [256])
    assert cut[600] == [256, 256, 64, 16, 8]

    def cost(parts: list[int]) -> int:
        return sum(padded_size(n, SIZES) + 3 for n in parts)

    for n, parts in cut.items():
        assert sum(parts) == n
        assert cost(parts) <= sum(padded_size(part, SIZES) + 3 for part in whole_passes(n))
        # Never more than an eighth of larger batches is computed for nothing.
        assert n < 64 or sum(padded_size(part, SIZES) for part in parts) <= 1.125 * n


def whole_passes(n: int) -> list[int]:
    return [min(SIZES[-1], n - begin) for begin in range(0, n, SIZES[-1])]


def test_one_stream_is_used_where_there_is_no_memory_for_two(
    streams: list[FakeGraphStream], monkeypatch: pytest.MonkeyPatch, vit: str
) -> None:
    monkeypatch.setattr(FakeGraphStream, "room", (64,))
    engine = Cuda(image_pass(vit), CPU, SIZE)
    assert (engine.passes, engine.batch, len(streams)) == (1, 64, 1)
    assert len(engine(pictures(3))[0]) == 3


def test_a_compiled_pass_is_recorded_for_the_sizes_that_it_serves(
    streams: list[FakeGraphStream],
) -> None:
    def one(name: str) -> EmbedPixels:
        return lambda pixels: (torch.full((len(pixels), 1), float(name)),) * 2

    engine = Cuda(one("1"), CPU, SIZE, compiled=one("2"))
    assert engine.name == "cuda, compiled"
    assert [engine(pictures(n))[0].unique().tolist() for n in (1, 2, 300)] == [[1], [2], [2]]
    assert streams


@pytest.mark.long
def test_a_pass_with_an_adapter_compiles_whole_and_once_for_all_sizes(
    vit: str, tmp_path: Path
) -> None:
    reference = image_pass(vit)
    torch._dynamo.reset()
    counters.clear()
    with torch.inference_mode():
        run = compiled(reference, pictures(64), cache=tmp_path)
        for n in (64, 2, 7, 32):
            wanted = Eager(reference)(pictures(n, n))
            torch.testing.assert_close(run(pictures(n, n)), wanted, atol=1e-5, rtol=0)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]


def chosen(vit: str) -> tuple[ImagePass, Any]:
    """What a GPU would be given, chosen with a processor in its place."""
    reference = image_pass(vit)
    expected = one_by_one(Eager(reference), probes(*SIZE))
    return reference, selection._on_gpu(reference, CPU, SIZE, expected, None)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes no time and changes nothing."""
    monkeypatch.setattr(selection, "compiled", lambda run, _pixels, cache: run)


@pytest.mark.usefixtures("streams", "plain")
def test_half_precision_is_chosen_where_it_agrees(vit: str) -> None:
    reference, engine = chosen(vit)
    assert engine.name == "cuda, compiled"
    assert reference.precision is torch.float16
    wanted = Eager(image_pass(vit))(pictures(5))
    for found, exact in zip(engine(pictures(5)), wanted, strict=True):
        assert found.dtype == torch.float32
        assert float((found * exact).sum(dim=1).min()) > LEAST_COSINE


@pytest.mark.usefixtures("streams", "plain")
@pytest.mark.parametrize(
    ("least", "precision"), [(0.9995, torch.bfloat16), (1 - 1e-6, torch.float32)]
)
def test_another_precision_is_recorded_where_one_does_not_agree(
    least: float,
    precision: torch.dtype,
    vit: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(selection, "LEAST_COSINE", least)
    large = image_pass(vit)
    weights = large.get_parameter("visual.conv1.weight")
    weights.mul_(1e6)  # too much for float16; a norm comes next
    wanted = Eager(large)(pictures(3))
    expected = one_by_one(Eager(large), probes(*SIZE))
    engine = selection._on_gpu(large, CPU, SIZE, expected, None)
    assert engine is not None
    assert large.precision is precision
    assert "does not compute in torch.float16 (cosine nan)" in caplog.text
    for found, exact in zip(engine(pictures(3)), wanted, strict=True):
        assert float((found * exact).sum(dim=1).min()) >= least


@pytest.mark.usefixtures("streams")
def test_passes_are_recorded_as_they_are_where_compiling_fails(
    vit: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> EmbedPixels:
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(selection, "compiled", fails)
    assert chosen(vit)[1].name == "cuda"
    assert "does not run compiled passes: no C compiler" in caplog.text


@pytest.mark.usefixtures("streams")
def test_a_compiled_pass_that_disagrees_is_not_used(
    vit: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(run: EmbedPixels, _pixels: Tensor, cache: Path | None) -> EmbedPixels:
        return lambda pixels: run(pixels.flip(1))

    monkeypatch.setattr(selection, "compiled", wrong)
    assert chosen(vit)[1].name == "cuda"
    assert "differ from PyTorch's" in caplog.text


@pytest.mark.usefixtures("plain")
def test_where_nothing_can_be_recorded_the_pass_is_as_it_was(
    vit: str, streams: list[FakeGraphStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeGraphStream, "room", ())
    reference, engine = chosen(vit)
    assert engine is None
    assert not streams
    assert reference.precision is torch.float32
    torch.testing.assert_close(
        Eager(reference)(pictures(3)), Eager(image_pass(vit))(pictures(3)), atol=0, rtol=0
    )


# With a GPU


def agree(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    for one, exact in zip(found, wanted, strict=True):
        assert one.shape == exact.shape
        assert float((one.cpu() * exact).sum(dim=1).min()) > LEAST_COSINE


@pytest.fixture(scope="module")
def recorded(vit: str) -> tuple[Backbone, Backbone]:
    """The same backbone on the processor, eager, and on the GPU, as the service has it."""
    eager = Backbone(*adapted(vit))
    quick = Backbone(*adapted(vit), device="cuda", make_engine=fastest)
    return eager, quick


@needs_gpu
@pytest.mark.parametrize("n", [*SIZES, 3, 100, 300])
def test_a_gpu_embeds_batches_of_every_size_as_pytorch_does(
    n: int, recorded: tuple[Backbone, Backbone]
) -> None:
    eager, quick = recorded
    assert quick.engine.startswith("cuda")
    assert quick.fingerprint == eager.fingerprint
    wanted, pixels = eager.encode_images(pictures(n, n)), pictures(n, n)
    for given in (pixels, pixels.to("cuda")):
        found = quick.encode_images(given)
        agree((found.frozen, found.corrected), (wanted.frozen, wanted.corrected))
        assert found.frozen.device.type == found.corrected.device.type == "cpu"


@needs_gpu
def test_passes_of_many_threads_do_not_mix_on_a_gpu(recorded: tuple[Backbone, Backbone]) -> None:
    eager, quick = recorded
    batches = [pictures(1 + seed % 40, seed) for seed in range(60)] + [pictures(300)]

    def embed(batch: Tensor) -> tuple[Tensor, Tensor]:
        rows = quick.encode_images(batch if len(batch) % 2 else batch.to("cuda"))
        return rows.frozen, rows.corrected

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(embed, batches))
    for batch, found in zip(batches, answers, strict=True):
        wanted = eager.encode_images(batch)
        agree(found, (wanted.frozen, wanted.corrected))


@needs_gpu
def test_compiled_passes_are_recorded_on_a_gpu(vit: str, tmp_path: Path) -> None:
    reference = image_pass(vit).to("cuda")
    wanted = Eager(image_pass(vit))(pictures(20))
    most = torch.zeros(SIZES[-1], *SIZE, 3, dtype=torch.uint8, device="cuda")
    reference.compute_in(torch.float16)
    quick = compiled(reference, most, cache=tmp_path)
    agree(Cuda(reference, torch.device("cuda"), SIZE, compiled=quick)(pictures(20)), wanted)
    agree(Cuda(reference, torch.device("cuda"), SIZE)(pictures(20)), wanted)


@needs_gpu
def test_lite_in_cuda_graphs_embeds_as_on_a_processor() -> None:
    eager, quick = load_backbone("lite", "cpu"), load_backbone("lite", "cuda", make_engine=fastest)
    assert quick.engine.startswith("cuda")
    pixels = probes(224, 224)
    wanted, found = eager.encode_images(pixels), quick.encode_images(pixels)
    agree((found.frozen, found.corrected), (wanted.frozen, wanted.corrected))
