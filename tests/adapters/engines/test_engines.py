"""What runs the image tower agrees with PyTorch, or is not used."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from adapters.backbones import Backbone, BackboneError
from adapters.backbones.framing import Framing
from adapters.corrections.bottleneck import Adapted, attach
from adapters.engines import Eager, ImagePass, MakeEngine, openvino, selection
from adapters.engines.agreement import LEAST_COSINE, agreement, probes
from adapters.engines.graph_stream import padded_size
from adapters.engines.selection import fastest
from adapters.loading import load_backbone, load_dual_encoder
from tests.tiny_vit import write_tiny_vit

CPU, SIZE = torch.device("cpu"), (32, 32)


def pictures(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, *SIZE, 3), generator=generator).to(torch.uint8)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('vit'))}"


def compiled(name: str, cache: Path | None = None) -> Backbone:
    return load_backbone(name, "cpu", make_engine=partial(fastest, cache=cache))


class Colours(nn.Module):
    """Stands for an image pass: unit rows that depend on the pixels in a simple way."""

    def __init__(self, spread: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("spread", torch.tensor([1.0, spread, spread**2]))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        rows = (pixels.float().mean(dim=(1, 2)) + 1) * self.spread
        rows = rows / rows.norm(dim=1, keepdim=True)
        return rows, rows.flip(1)


def test_a_compiled_backbone_embeds_as_pytorch_does(vit: str) -> None:
    eager, quick = load_backbone(vit, "cpu"), compiled(vit)
    assert (eager.engine, quick.engine) == ("eager", "openvino")
    assert eager.fingerprint == quick.fingerprint
    for n in (1, 2, 7):
        wanted, found = (backbone.encode_images(pictures(n, n)) for backbone in (eager, quick))
        torch.testing.assert_close(found.frozen, wanted.frozen, atol=1e-5, rtol=0)
        torch.testing.assert_close(found.corrected, wanted.corrected, atol=1e-5, rtol=0)


def test_an_adapter_survives_compilation(vit: str) -> None:
    def backbone(make_engine: MakeEngine) -> Backbone:
        encoder = load_dual_encoder(vit)
        torch.manual_seed(0)
        adapter = attach(encoder.visual)
        for layer in adapter.layers:
            nn.init.normal_(layer.get_submodule("up").weight)  # type: ignore[arg-type]
        return Backbone(encoder, Adapted(adapter), make_engine=make_engine)

    eager, quick = backbone(Eager.made), backbone(fastest)
    assert quick.engine == "openvino"
    wanted, found = (one.encode_images(pictures(5)) for one in (eager, quick))
    assert float((wanted.frozen * wanted.corrected).sum(dim=1).max()) < 0.99
    torch.testing.assert_close(found.frozen, wanted.frozen, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.corrected, wanted.corrected, atol=1e-5, rtol=0)


def test_passes_of_many_threads_do_not_mix() -> None:
    engine = openvino.OpenVINO(openvino.convert(Colours(0.5), *SIZE), threads=2)
    batches = [pictures(1 + seed % 3, seed) for seed in range(60)]
    kept = [batch.clone() for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(engine, batches))
    expected = [Eager(Colours(0.5))(batch) for batch in kept]
    for found, wanted in zip(answers, expected, strict=True):
        torch.testing.assert_close(found, wanted)
    assert all(map(torch.equal, batches, kept))  # nothing is written into what was given


def test_the_compiled_model_is_read_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = partial(fastest, device=CPU, size=SIZE, identity="colours", cache=tmp_path)
    assert make(Colours()).name == "openvino"
    monkeypatch.setattr(openvino, "convert", None)
    assert make(Colours()).name == "openvino"
    assert make(Colours(), identity="others").name == "eager"  # that one has to be converted


@pytest.mark.parametrize("damage", ["cut short", "of another model", "empty"])
def test_a_damaged_compiled_model_is_made_anew(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make = partial(fastest, device=CPU, size=SIZE, cache=tmp_path)
    make(Colours(0.1), identity="colours")
    (path,) = tmp_path.rglob("model.xml")
    if damage == "cut short":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        openvino.write(openvino.convert(Colours(0.9), *SIZE), path)
    with caplog.at_level(logging.WARNING):
        engine = make(Colours(0.1), identity="colours")
    assert engine.name == "openvino"
    assert "is made anew" in caplog.text
    torch.testing.assert_close(engine(pictures(3)), Eager(Colours(0.1))(pictures(3)))
    caplog.clear()
    make(Colours(0.1), identity="colours")
    assert not caplog.records  # it was mended on the disk, too


def test_a_compiled_model_that_cannot_be_cached_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    engine = fastest(Colours(), CPU, SIZE, "colours", cache=tmp_path / "file" / "compiled")
    assert engine.name == "openvino"
    assert "not kept" in caplog.text


def test_an_engine_that_disagrees_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    wrong = openvino.convert(Colours(0.9), *SIZE)
    monkeypatch.setattr(openvino, "convert", lambda *_: wrong)
    engine = fastest(Colours(1.0), CPU, SIZE, "colours", cache=tmp_path)
    assert engine.name == "eager"
    assert "differ from PyTorch's (cosine 0.9" in caplog.text
    assert not list(tmp_path.rglob("*.xml"))


def test_a_model_that_cannot_be_converted_runs_in_pytorch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no conversion rule for this operation")

    monkeypatch.setattr(openvino, "convert", fails)
    assert fastest(Colours(), CPU, SIZE, "colours").name == "eager"
    assert "no conversion rule" in caplog.text


def test_values_that_are_no_numbers_are_a_disagreement(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(nn.Module):
        def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
            rows = pixels.float().mean(dim=(1, 2)) / 0 * 0
            return rows, rows

    assert fastest(Broken(), CPU, SIZE, "broken").name == "eager"
    assert "cosine nan" in caplog.text


def test_agreement_is_that_of_the_worst_picture() -> None:
    pixels = probes(*SIZE)
    wanted, other = Eager(Colours())(pixels), Eager(Colours(0.9))(pixels)
    assert agreement(Eager(Colours()), wanted, pixels) == pytest.approx(1)
    off = agreement(Eager(Colours(0.9)), wanted, pixels)
    worst = min(float((a * b).sum(dim=1).min()) for a, b in zip(wanted, other, strict=True))
    assert off == pytest.approx(worst)
    assert off < LEAST_COSINE


def test_framing_and_normalising_is_the_models_own_preprocessing(vit: str) -> None:
    preprocess = load_dual_encoder(vit).preprocess
    framing = Framing(preprocess)
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    pixels = framing(Image.fromarray(noise))
    assert pixels.dtype == torch.uint8
    normalised = (pixels.permute(2, 0, 1).float() / 255 - framing.mean.view(3, 1, 1)) / (
        framing.std.view(3, 1, 1)
    )
    torch.testing.assert_close(normalised, preprocess(Image.fromarray(noise)), atol=0, rtol=0)


def test_preprocessing_of_another_kind_is_refused() -> None:
    with pytest.raises(BackboneError, match="does not end in ToTensor and Normalize"):
        Framing(lambda image: torch.zeros(3, *image.size))


def test_the_choice_is_told_apart_by_all_that_decides_it() -> None:
    keys = {selection._key(identity, size) for identity in ("a", "b") for size in (SIZE, (64, 32))}
    assert len(keys) == 4


def test_a_batch_is_filled_up_to_the_next_recorded_size() -> None:
    assert [padded_size(n, (1, 4, 16)) for n in (1, 2, 4, 5, 16)] == [1, 4, 4, 16, 16]
    with pytest.raises(ValueError, match="17 images are more than 16"):
        padded_size(17, (1, 4, 16))


def test_an_image_pass_computes_in_half_precision_and_back(vit: str) -> None:
    encoder = load_dual_encoder(vit)
    framing = Framing(encoder.preprocess)
    torch.manual_seed(0)
    visual = encoder.visual.eval()
    correction = Adapted(attach(visual))
    whole = ImagePass(visual, correction, framing.mean, framing.std)
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    wanted = Eager(whole)(pictures(3))
    whole.compute_in(torch.bfloat16)
    half = Eager(whole)(pictures(3))
    for found, exact in zip(half, wanted, strict=True):
        assert found.dtype == torch.float32
        assert not torch.equal(found, exact)
        assert float((found * exact).sum(dim=1).min()) > 0.999
    whole.compute_in(torch.float32)
    whole.load_state_dict(before)
    for found, exact in zip(Eager(whole)(pictures(3)), wanted, strict=True):
        torch.testing.assert_close(found, exact, atol=0, rtol=0)


@pytest.mark.long
def test_a_signal_can_be_handled_where_a_model_was_compiled() -> None:
    code = """
import os, signal, torch
from torch import nn
from adapters.engines import openvino

class Sums(nn.Module):
    def forward(self, pixels):
        return pixels.float().mean((1, 2)), pixels.float().amax((1, 2))

openvino.OpenVINO(openvino.convert(Sums().eval(), 4, 4))
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "handled"), ended.stderr
