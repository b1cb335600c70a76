"""What a GPU makes of its arithmetic: the bare encoder, and the service on top of it.

    python -m benchmarks.gpu [--model ViT-B-16] [--batches 1 8 32 128 256] [--processes 1 16]

Any model that open_clip has a configuration of, with random weights and a random adapter in every
block, both embeddings an image: speed does not depend on what weights say. In one run: the rate of
a large matrix product in half precision; the bare encoder from pixels in the processor's memory to
embeddings there, as share of that rate by the operations that PyTorch counts; the service over
HTTP by one process and by as many as cores before one encoder process, one image a request and 64,
as share of the bare encoder and beside the aim, with the size of the encoder's passes; and a cache
of many keys.
``--device cpu`` only shows that the command works.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx2 as httpx
import open_clip
import torch
from matplotlib.axes import Axes
from safetensors.torch import save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from adapters.backbones import Backbone
from adapters.cache import BruteForce, GpuCache, TorchBruteForce
from adapters.cache.faiss_gpu import FaissBruteForce, unusable
from adapters.corrections.bottleneck import attach, save_adapter, tower_fingerprint
from adapters.engines import Eager
from adapters.engines.selection import fastest
from adapters.loading import load_backbone
from benchmarks.floor import rate
from benchmarks.load import Plan, Request, Service, load
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.servers import PREDICT, handful, register

PRODUCT = 8192
KEYS = (10_000, 1_000_000)
WIDTH, CLASSES = 512, 1000
TOGETHER, IN_FLIGHT, CONNECTIONS, WAITING = 64, 1024, 64, 8192
# Percent of the bare encoder's images a second that may be lost, by images a request.
LOST = {1: 35.0, TOGETHER: 15.0}
_PATIENCE = 300.0


def write_model(name: str, folder: Path) -> tuple[str, Path]:
    """Write a model and an adapter with random weights; return the backbone's name and the file."""
    torch.manual_seed(0)
    config = open_clip.get_model_config(name)
    model = open_clip.create_model(name, pretrained=None, load_weights=False).eval()
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    described = {"model_cfg": config, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    backbone, visual = f"local-dir:{folder}", model.get_submodule("visual")
    fingerprint = tower_fingerprint(visual)
    adapter = attach(visual)
    for layer in adapter.layers:
        nn.init.normal_(layer.get_submodule("up").get_parameter("weight"), std=0.02)
    path = folder / "adapter.safetensors"
    save_adapter(path, adapter, backbone=backbone, fingerprint=fingerprint, made={})
    return backbone, path


def product_rate(device: torch.device, size: int, seconds: float) -> float:
    """TFLOP/s of a bfloat16 product of two square matrices."""
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))

    def ten(_: int) -> None:
        for _ in range(10):
            a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    ten(0)
    return 10 * 2 * size**3 * rate(ten, 1, seconds) / 1e12


def operations(backbone: Backbone, pixels: torch.Tensor) -> float:
    """Operations an image of both embeddings, by PyTorch's count of the eager pass.

    Attention is taken apart for it: what is fused into one operation is not counted.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            backbone.encode_images(pixels)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return float(counter.get_total_flops()) / len(pixels)


def encoder_rows(
    backbone: Backbone, per_image: float, peak: float, batches: list[int], seconds: float
) -> list[Row]:
    """Images a second by batch, as many passes at a time as the runtime gains by."""
    rows: list[Row] = []
    height, width = backbone.image_size, backbone.image_size
    for batch in batches:
        pixels = torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8)

        def work(_: int, pixels: torch.Tensor = pixels) -> None:
            backbone.encode_images(pixels)

        work(0)
        found = rate(work, backbone.passes, seconds, batch)
        rows.append(
            {
                "runtime": backbone.engine,
                "batch": batch,
                **speeds(found, per_image, peak),
            }
        )
    return rows


def speeds(images: float, per_image: float, peak: float) -> Row:
    """Images a second in other units.

    Args:
        images: A second.
        per_image: Operations.
        peak: TFLOP/s of a large product.
    """
    arithmetic = images * per_image / 1e12
    return {
        "images/s": images,
        "TFLOP/s": arithmetic,
        "of the product %": 100 * arithmetic / peak,
    }


def service_rows(
    settings: dict[str, object], processes: int, best: float, seconds: float
) -> list[Row]:
    """Images a second over HTTP, 224-pixel JPEGs, closed loop, and what is lost of the encoder's.

    Args:
        settings: Of the service.
        processes: That serve.
        best: Images a second of the encoder alone.
        seconds: Of each measurement, and of its warm-up.
    """
    rows: list[Row] = []
    threads = max(2, torch.get_num_threads() // processes)
    more = {"processes": processes, "decode_threads": threads, "max_waiting": WAITING}
    with handful(**settings, **more) as service:
        wait_for(service, processes)
        register(service)
        files = queries(TOGETHER)
        ways = {
            1: [Request.post(PREDICT, file, "image/jpeg") for file in files],
            TOGETHER: [Request.form(PREDICT, files, "image/jpeg", "files")],
        }
        for images, requests in ways.items():
            # Some for each process even of large requests: who accepts one keeps it.
            connections = max(CONNECTIONS, IN_FLIGHT // images)
            plan = Plan(service.port, requests, connections, seconds, seconds)
            before = passes(service)
            served = load(plan).throughput * images
            encoded, count = (x - y for x, y in zip(passes(service), before, strict=True))
            rows.append(
                {
                    "processes": processes,
                    "images a request": images,
                    "connections": plan.connections,
                    "images/s": served,
                    "lost %": 100 * (1 - served / best),
                    "aim %": LOST[images],
                    "images a pass": encoded / max(1, count),
                }
            )
            print(
                "service:", *(f"{what} {value:.4g}" for what, value in rows[-1].items()), sep="  "
            )
    return rows


def passes(service: Service) -> tuple[float, float]:
    """Images that the encoder has embedded, and in how many passes, as all processes count them."""
    name = "handful_encoder_batch_size"
    return metric(service, f"{name}_sum"), metric(service, f"{name}_count")


def metric(service: Service, name: str) -> float:
    """A figure of ``/metrics``; 0 where it is not told yet."""
    told = httpx.get(f"{service.url}/metrics").text
    found = re.search(rf"^{name} (\S+)$", told, re.M)
    return float(found[1]) if found else 0.0


def wait_for(service: Service, processes: int) -> None:
    """Wait until all processes of a service are ready: it is with the first."""
    deadline = time.monotonic() + _PATIENCE
    while (ready := metric(service, "handful_ready_processes")) < processes:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{ready:.0f} of {processes} processes are ready")
        time.sleep(0.2)


def cache_rows(device: torch.device, counts: list[int], seconds: float) -> list[Row]:
    """Milliseconds of one query against many keys on the device, votes and evidence.

    By PyTorch and, where it can be used there, by FAISS, in turns.
    """
    by: list[BruteForce] = [TorchBruteForce(device)]
    if (reason := unusable(device)) is None:
        by.append(FaissBruteForce(device))
    else:
        print(f"not measured with FAISS: {reason}")
    rows: list[Row] = []
    for n in counts:
        keys = nn.functional.normalize(torch.randn(n, WIDTH), dim=1)
        row: dict[str, float | int | str] = {"keys": n}
        for one in by:
            cache = GpuCache(one, torch.arange(n), keys, torch.arange(n) % CLASSES)
            ask: Callable[[int], object] = partial(_ask, cache, keys[:64])
            ask(0)
            row[f"ms a query, {one.name}"] = 1000 / rate(ask, 1, seconds)
            del cache, ask
        rows.append(row)
    return rows


def _ask(cache: GpuCache, queries: torch.Tensor, turn: int) -> None:
    at = turn % len(queries)
    cache.answer(queries[at : at + 1], 5.5, range(min(len(cache), CLASSES)), 3)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-16")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 128, 256])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--product", type=int, default=PRODUCT, help="side of the matrices")
    parser.add_argument("--keys", type=int, nargs="*", default=list(KEYS))
    parser.add_argument(
        "--processes",
        type=int,
        nargs="*",
        default=[1, torch.get_num_threads()],
        help="of the service; none: no HTTP",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    arguments = parser.parse_args()
    device, seconds = torch.device(arguments.device), arguments.seconds
    with tempfile.TemporaryDirectory(prefix="handful-gpu-") as temporary:
        folder = Path(temporary)
        name, adapter = write_model(arguments.model, folder)
        load_as = partial(load_backbone, name, arguments.device, adapter=str(adapter))
        eager = load_as(make_engine=Eager.made)
        probe = torch.zeros(1, eager.image_size, eager.image_size, 3, dtype=torch.uint8)
        per_image = operations(eager, probe)
        peak = product_rate(device, arguments.product, seconds)
        rows = encoder_rows(eager, per_image, peak, arguments.batches[-1:], seconds)
        del eager
        begin = time.perf_counter()
        backbone = load_as(make_engine=partial(fastest, cache=folder / "compiled"))
        made = time.perf_counter() - begin
        ours = encoder_rows(backbone, per_image, peak, arguments.batches, seconds)
        rows += ours
        best = max(float(row["images/s"]) for row in ours)
        del backbone
        about = {
            "product, TFLOP/s": peak,
            "GFLOP an image, both embeddings": per_image / 1e9,
            "seconds to load, compile and record": made,
        }
        settings: dict[str, object] = {
            "backbone": name,
            "adapter": adapter,
            "device": arguments.device,
            "cache_dir": folder,
        }
        service = [
            row
            for processes in arguments.processes
            for row in service_rows(settings, processes, best, max(seconds, 3))
        ]
    caches = cache_rows(device, arguments.keys, seconds)

    def plot(axes: Axes) -> None:
        axes.plot([row["batch"] for row in ours], [row["TFLOP/s"] for row in ours], marker="o")
        axes.axhline(peak, linestyle="--", color="black", label=f"product of {arguments.product}²")
        axes.set_xscale("log", base=2)
        axes.set_ylim(0, None)
        axes.set_xlabel("images a pass")
        axes.set_ylabel("TFLOP/s")
        axes.legend()

    title = f"{arguments.model}, both embeddings, on {arguments.device}"
    publish(
        "gpu",
        title,
        rows,
        arguments.out,
        plot=plot,
        about=about | {"service": service, "caches": caches},
    )
    for what, value in about.items():
        print(f"{what}: {value:.3g}")
    for row in caches:
        print(", ".join(f"{name}: {value:.3g}" for name, value in row.items()))


if __name__ == "__main__":
    main()
