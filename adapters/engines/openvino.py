"""The image tower compiled by OpenVINO for the processor it runs on."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# OpenVINO tells its makers over the network when it converts a model, by a package of its own.
# Where that cannot be imported it tells nobody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: E402

from adapters.file_checksums import check_files, write_checksums  # noqa: E402
from adapters.recipe import Precision  # noqa: E402

# What a quantised model leaves in float is computed in float32.
_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class Compiled:
    """A model compiled for one way of running, with as many inference requests as ran at once.

    A request keeps the memory of the layers' outputs, of the largest batch that it has had.

    Args:
        model: Of one input or several.
        precision: To compute in.
        streams: Passes at the same time.
        threads: Of the processor, for all streams together.
    """

    def __init__(
        self, model: ov.Model, precision: Precision, *, streams: int, threads: int
    ) -> None:
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            # Other threads decode and answer on the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        # OpenVINO leaves the thread that compiles with an alternate signal stack that is freed: the
        # next signal that Python handles there, such as Ctrl-C, would end the process.
        with ThreadPoolExecutor(1) as thread:
            compiling = thread.submit(ov.Core().compile_model, model, "CPU", settings)
            self._compiled = compiling.result()
        self._idle: deque[ov.InferRequest] = deque()

    def __call__(self, *given: Tensor) -> list[Tensor]:
        """All outputs of a pass on all inputs, in memory of their own. Thread-safe."""
        try:
            request = self._idle.pop()  # the last one, whose memory is in the caches
        except IndexError:
            request = self._compiled.create_infer_request()
        # A tensor of our own each time: a request would write what it is given next into the
        # memory of what it was given before.
        for place, one in enumerate(given):
            array = np.ascontiguousarray(one.numpy())
            request.set_input_tensor(place, ov.Tensor(array, shared_memory=True))
        request.infer()
        outputs = range(len(self._compiled.outputs))
        rows = [torch.from_numpy(request.get_output_tensor(i).data.copy()) for i in outputs]
        self._idle.append(request)
        return rows


class OpenVINO:
    """OpenVINO as the engine: runs a converted model.

    The weights are in memory twice, packed for each way of running.

    A pass that comes alone is computed by all threads together, which answers soonest. Where
    passes overlap each has one thread, so that none waits for another's.

    Attributes:
        precision: That it computes in.

    Args:
        model: What :func:`convert` made; quantised for int8.
        precision: To compute in, for which the processor has instructions.
        threads: Of the processor; as many as PyTorch takes if None (``OMP_NUM_THREADS``).
    """

    name = "openvino"
    batch = 8

    def __init__(
        self, model: ov.Model, precision: Precision = "float32", threads: int | None = None
    ) -> None:
        self.precision = precision
        self.passes = threads or torch.get_num_threads()
        self._together = Compiled(model, precision, streams=1, threads=self.passes)
        self._apart = self._together
        if self.passes > 1:
            self._apart = Compiled(model, precision, streams=self.passes, threads=self.passes)
        self._running = 0
        self._count = threading.Lock()

    def __call__(self, pixels: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (n, H, W, 3) uint8 pixels; with what else each image has, if the model takes it."""
        with self._count:
            self._running += 1
            alone = self._running == 1
        try:
            frozen, corrected = (self._together if alone else self._apart)(pixels, *others)
            return frozen, corrected
        finally:
            with self._count:
                self._running -= 1


Model = ov.Model
"""A model as OpenVINO has it."""


def capabilities() -> tuple[str, ...]:
    """What the processor has instructions for, such as ``BF16``."""
    return tuple(ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def convert(image_pass: nn.Module, height: int, width: int) -> ov.Model:
    """Convert an ``ImagePass`` for batches of any size; takes some seconds.

    Args:
        image_pass: Module from (n, H, W, 3) uint8 pixels to two (n, ·) embeddings, on the CPU.
        height: Pixels.
        width: Pixels.

    Raises:
        Exception: Whatever conversion fails with, where it knows an operation not.
    """
    example = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    return _traced(image_pass, example, [ov.PartialShape([-1, height, width, 3])])


def convert_prompted(image_pass: nn.Module, pixels: Tensor, prompts: Tensor) -> ov.Model:
    """Convert a pass in which each image has learned prompts of its own; takes some seconds.

    Args:
        image_pass: Module from pixels and prompts to two (n, ·) embeddings, on the CPU.
        pixels: (n, H, W, 3) uint8, n above 1.
        prompts: (n, depth, length, width), of a shape that it is to take for any n.

    Raises:
        Exception: Whatever conversion fails with.
    """
    given = [ov.PartialShape([-1, *one.shape[1:]]) for one in (pixels, prompts)]
    return _traced(image_pass, (pixels, prompts), given)


def convert_texts(text_pass: nn.Module, tokens: Tensor, *, any_length: bool) -> ov.Model:
    """Convert a text tower for any number of texts; takes some seconds.

    Args:
        text_pass: Module from (n, L) int64 tokens to (n, d), on the CPU.
        tokens: (n, L) of some texts, n and L above 1.
        any_length: Whether it is to take other L than these.

    Raises:
        Exception: Whatever conversion fails with.
    """
    length = -1 if any_length else tokens.shape[1]
    return _traced(text_pass, tokens, [(ov.PartialShape([-1, length]), ov.Type.i64)])


def _traced(module: nn.Module, example: Any, given: list[Any]) -> ov.Model:
    """Trace a module, and convert the trace for what ``given`` says of each input."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that are constant here
        # The tracer would trace it again to compare, which takes as long as all the rest. What is
        # made of it is compared with PyTorch (adapters/engines/agreement.py).
        decoder = TorchScriptPythonDecoder(
            module, example_input=example, trace_kwargs={"check_trace": False}
        )
        return ov.convert_model(decoder, example_input=example, input=given)


def save(model: ov.Model, path: Path) -> None:
    """Write a converted model as ``path`` (XML), its weights and their checksums beside it.

    Raises:
        OSError: They cannot be written.
    """
    try:
        ov.save_model(model, path, compress_to_fp16=False)
    except RuntimeError as error:
        raise OSError(str(error)) from error
    write_checksums(_checksums(path), (path, path.with_suffix(".bin")))


def write(model: ov.Model, path: Path) -> None:
    """As :func:`save`; each of the files is there whole or not.

    Raises:
        OSError: They cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix="part-") as folder:
        part = Path(folder) / path.name
        save(model, part)
        os.replace(part.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(_checksums(part), _checksums(path))
        os.replace(part, path)


def read(path: Path) -> ov.Model:
    """Read what :func:`save` or :func:`write` wrote.

    Raises:
        RuntimeError: It is missing, or its bytes are others.
    """
    check_files(_checksums(path), (path, path.with_suffix(".bin")))
    return ov.Core().read_model(path)


def _checksums(path: Path) -> Path:
    return path.with_suffix(".crc")
