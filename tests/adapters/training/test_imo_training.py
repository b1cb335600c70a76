"""Supervised and self-supervised training of an adapter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from adapters.backbones.lite.model import build_lite
from adapters.corrections.bottleneck import BottleneckAdapter, BottleneckConfig, attach
from adapters.loading import load_dual_encoder
from adapters.training.loop import LoopSettings, Progress, train
from adapters.training.method import Preprocessing
from adapters.training.methods.imo import RECIPES
from adapters.training.methods.imo.augmentation import DinoCrops, many_crops, one_crop
from adapters.training.methods.imo.model import Tower, image_tower, tower_of
from adapters.training.methods.imo.objectives.dino import Dino
from adapters.training.methods.imo.objectives.supervised import Supervised
from adapters.training.methods.imo.resolution import encode, small_side
from adapters.training.order import Turn
from service.training.checkpoint_file import CheckpointFile
from service.training.image_examples import ImageExamples
from service.training.training_images import TrainingImages
from tests.coloured import coloured_images, write_coloured
from tests.reading import READ
from tests.tiny_vit import CONFIG


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> Iterator[None]:
    """accelerate keeps its precision for the life of a process."""
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingImages:
    return coloured_images(write_coloured(tmp_path_factory.mktemp("coloured"), 16))


@pytest.fixture
def tower(tiny_vit: Path) -> Tower:
    return image_tower(load_dual_encoder(f"local-dir:{tiny_vit}"))


def state_of(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_same(module: nn.Module, state: dict[str, Tensor]) -> None:
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name]), name


def supervised(
    tower: Tower, data: TrainingImages, **changed: Any
) -> tuple[Supervised, BottleneckAdapter, Progress]:
    settings = LoopSettings(**{"epochs": 6, "batch": 8} | changed)
    torch.manual_seed(0)
    adapter = attach(tower.visual, BottleneckConfig(width=8, scale=0.5))
    built = RECIPES["supervised"].build(tower, adapter, data.classes, settings.epochs)
    examples = data.examples(built.preprocessing, READ, settings.seed)
    progress = train(built.objective, examples, settings, device="cpu")
    assert isinstance(built.objective, Supervised)
    return built.objective, built.adapter, progress


def self_supervised(tower: Tower, **arguments: Any) -> Dino:
    torch.manual_seed(0)
    student = attach(tower.visual, BottleneckConfig(width=8, scale=0.5))
    teacher = attach(tower.visual, student.config)
    return Dino(tower.encoder, student, teacher, tower.width, **arguments)


def dino(
    tower: Tower, data: TrainingImages, *, outputs: int = 32, small: int = 2, **changed: Any
) -> tuple[Dino, ImageExamples]:
    objective = self_supervised(tower, outputs=outputs, **changed)
    crops = many_crops(tower, small_side(tower.encoder, tower.size), DinoCrops(number=small))
    return objective, data.examples(Preprocessing(transform=crops, side=64), READ, 0)


def test_supervised_training_lowers_the_loss_and_leaves_the_tower(
    tower: Tower, data: TrainingImages
) -> None:
    before = state_of(tower.visual)
    objective, adapter, progress = supervised(tower, data)
    assert sum(progress.losses[-6:]) < 0.5 * sum(progress.losses[:6])
    assert_same(tower.visual, before)
    assert all(layer.get_parameter("up.weight").any() for layer in adapter.layers)
    assert not any(name.startswith("encoder.") for name in objective.learned_state())


def test_the_adapter_learns_and_not_the_classifier_alone(
    tower: Tower, data: TrainingImages
) -> None:
    _, adapter, _ = supervised(tower, data)
    images = data.examples(
        Preprocessing(transform=one_crop(tower), side=64, labelled=True), READ, 7
    )
    rows = [images[Turn(number, 0)] for number in range(len(data))]
    pixels, labels = (torch.stack(column) for column in zip(*rows, strict=True))

    def separation() -> float:
        with torch.no_grad():
            rows = nn.functional.normalize(tower.encoder(pixels), dim=1)
        similar, same = rows @ rows.T, labels[:, None] == labels
        return float(similar[same].mean() - similar[~same].mean())

    adapted = separation()
    with adapter.frozen():
        assert adapted > separation() + 0.1


def test_lite_is_trained_before_its_projection_and_keeps_its_statistics(
    data: TrainingImages,
) -> None:
    visual: Any = build_lite().model.visual
    visual.preprocess_cfg = {**visual.preprocess_cfg, "size": 64}
    tower = tower_of("lite", visual, visual.trunk)
    assert tower.width == 1280
    before = state_of(visual)
    torch.manual_seed(0)
    adapter = attach(visual, BottleneckConfig(places=(8, 9)))
    settings = LoopSettings(batch=8, learning_rate=8e-3)
    built = RECIPES["supervised"].build(tower, adapter, data.classes, settings.epochs)
    examples = data.examples(built.preprocessing, READ, settings.seed)
    progress = train(built.objective, examples, settings, device="cpu")
    assert progress.losses[-1] < progress.losses[0]
    assert_same(visual, before)
    assert not visual.trunk.training


def test_two_classes_are_needed_to_tell_apart(tower: Tower, data: TrainingImages) -> None:
    with pytest.raises(RuntimeError, match=r"1 class \(blue\), and a classifier needs 2"):
        RECIPES["supervised"].build(tower, attach(tower.visual), data.classes[:1], 1)


def test_accumulated_batches_are_a_large_one(tower: Tower, data: TrainingImages) -> None:
    _, large, one = supervised(tower, data, epochs=1, batch=16)
    large.detach()
    _, small, two = supervised(tower, data, epochs=1, batch=4, accumulate=4)
    torch.testing.assert_close(two.losses, one.losses, rtol=1e-4, atol=1e-5)
    for a, b in zip(large.parameters(), small.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-4)


def test_bf16_training_on_a_processor_reduces_the_loss_and_keeps_float32_weights(
    tower: Tower, data: TrainingImages
) -> None:
    _, adapter, progress = supervised(tower, data, precision="bf16")
    assert sum(progress.losses[-6:]) < 0.5 * sum(progress.losses[:6])
    assert all(p.dtype == torch.float32 for p in adapter.parameters())


class Patterns:
    """Noisy views of eight patterns: DINO's data without its augmentation."""

    def __init__(self) -> None:
        patterns = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        self.patterns = nn.functional.interpolate(1.5 * patterns, (32, 32))

    def __len__(self) -> int:
        return 64

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(turn.example * 1000 + turn.epoch)
        noise = 0.3 * torch.randn(4, 3, 32, 32, generator=generator)
        views = self.patterns[turn.example % 8] + noise
        return views[:2], views[2:, :, :16, :16]


@torch.no_grad()
def spread(tower: Tower, pixels: Tensor) -> None:
    """Embeddings of a random tower are all nearly the same; those of a trained one are not."""
    norm: Any = tower.encoder.get_submodule("ln_post")
    outputs: list[Tensor] = []
    hook = norm.register_forward_hook(lambda _module, _args, output: outputs.append(output))
    tower.encoder(pixels)
    hook.remove()
    pooled = outputs[0][:, 0]
    deviation = pooled.std(dim=0)
    norm.weight.div_(deviation)
    norm.bias.sub_((pooled / deviation).mean(dim=0))


def test_dino_learns_without_collapse(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.training.methods.imo.objectives.dino_head._HIDDEN", 64)
    monkeypatch.setattr("adapters.training.methods.imo.objectives.dino_head._BOTTLENECK", 32)
    patterns = Patterns()
    pixels = torch.stack([patterns[Turn(number, 999)][0][0] for number in range(64)])
    spread(tower, pixels)
    before = state_of(tower.visual)
    objective = self_supervised(tower, outputs=32, momentum=0.98, first_epoch=1 / 40)
    begun = state_of(objective.teacher)
    settings = LoopSettings(epochs=40, batch=16, learning_rate=1e-3, warmup=0.2, save_every=999)
    progress = train(objective, patterns, settings, device="cpu")
    assert sum(progress.losses[-16:]) < 0.6 * sum(progress.losses[:16])
    assert_same(tower.visual, before)
    assert all(
        not torch.equal(value, begun[name])
        for name, value in objective.teacher.state_dict().items()
    )
    objective.eval()
    rows = objective.teach(pixels)

    def entropy(rows: Tensor) -> float:
        return float(-(rows * rows.clamp_min(1e-12).log()).sum(dim=-1).mean()) / math.log(32)

    # Collapse has two forms: every output uniform, or the same one for every image.
    assert entropy(rows) < 0.6
    assert entropy(rows.mean(dim=0, keepdim=True)) > entropy(rows) + 0.2


def test_the_teacher_follows_the_student_ever_more_slowly(
    tower: Tower, data: TrainingImages
) -> None:
    objective, _ = dino(tower, data, momentum=0.9)
    start = state_of(objective.teacher)
    with torch.no_grad():
        for parameter in objective.student.parameters():
            parameter.add_(1.0)
    moved = []
    for done in (0.01, 0.5, 1.0):
        objective.teacher.load_state_dict(start)
        objective.after_step(done)
        name = "layers.0.up.bias"
        moved.append(float(objective.teacher.state_dict()[name].mean()))
    assert moved == pytest.approx([0.1, 0.05, 0.0], abs=1e-3)


def test_student_and_teacher_leave_each_other_out(tower: Tower, data: TrainingImages) -> None:
    objective, _ = dino(tower, data)
    pixels = torch.randn(2, 3, 32, 32)
    objective.eval()
    before = objective.teach(pixels)
    nn.init.normal_(objective.student.layers[0].get_parameter("up.weight"))
    assert torch.equal(objective.teach(pixels), before)
    nn.init.normal_(objective.teacher.layers[0].get_parameter("up.weight"))
    assert not torch.equal(objective.teach(pixels), before)


def test_the_last_layer_waits_for_the_first_epoch(tower: Tower, data: TrainingImages) -> None:
    objective, _ = dino(tower, data, small=0, first_epoch=0.5)
    for done, learns in ((0.0, False), (0.49, False), (0.5, True)):
        objective.done.fill_(done)
        objective.zero_grad()
        objective(torch.randn(4, 2, 3, 32, 32)).backward()
        gradient = objective.student_head.prototypes.grad
        assert gradient is not None
        assert bool(gradient.any()) is learns
        assert all(p.grad is not None for p in objective.student_head.layers.parameters())


def test_the_centre_is_the_same_for_accumulated_batches(tower: Tower, data: TrainingImages) -> None:
    views = torch.randn(8, 2, 3, 32, 32)
    centres = []
    for parts in (1, 4):
        objective, _ = dino(tower, data)
        for batch in views.chunk(parts):
            objective(batch)
        objective.after_step(0.1)
        centres.append(objective.centre)
        objective.student.detach()
        objective.teacher.detach()
    torch.testing.assert_close(*centres)
    assert centres[0].any()


@pytest.mark.long
def test_a_dino_run_is_resumed(tower: Tower, data: TrainingImages, tmp_path: Path) -> None:
    settings = LoopSettings(epochs=2, batch=8, learning_rate=2e-3, save_every=2)
    checkpoint = CheckpointFile(tmp_path / "checkpoint.pt")
    whole, pictures = dino(tower, data, momentum=0.9, small=1)
    train(whole, pictures, settings, device="cpu")
    whole.student.detach()
    whole.teacher.detach()
    parts, pictures = dino(tower, data, momentum=0.9, small=1)

    def stop(step: int, *_: Any) -> None:
        if step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(parts, pictures, settings, checkpoint, device="cpu", report=stop)
    parts.student.detach()
    parts.teacher.detach()
    resumed, pictures = dino(tower, data, momentum=0.9, small=1)
    train(resumed, pictures, settings, checkpoint, device="cpu", resume=True)
    for name, value in whole.learned_state().items():
        assert torch.equal(resumed.learned_state()[name], value), name


def test_small_crops_suit_the_tower(tower: Tower) -> None:
    assert small_side(tower.encoder, 32) == 16
    with torch.device("meta"):
        clip = open_clip.transformer.VisionTransformer(224, 16, 64, 1, 2, 4.0)
        fixed = timm.create_model("vit_tiny_patch16_224")
        convolutional = timm.create_model("tf_efficientnet_lite0")
    assert small_side(clip, 224) == 96
    assert small_side(fixed, 224) == 224
    assert small_side(convolutional, 224) == 96


@torch.no_grad()
def test_positions_are_interpolated_for_small_crops(tower: Tower) -> None:
    """As open_clip does it when a checkpoint is loaded into a tower of another size."""
    pixels = torch.randn(2, 3, 32, 32)
    assert torch.equal(encode(tower.encoder, pixels), tower.encoder(pixels))
    before = state_of(tower.encoder)
    vision = {**CONFIG["vision_cfg"], "image_size": 16}  # type: ignore[dict-item]
    smaller = open_clip.CLIP(**{**CONFIG, "vision_cfg": vision}).eval()
    state = {f"visual.{name}": value.clone() for name, value in before.items()}
    open_clip.model.resize_pos_embed(state, smaller)
    smaller.load_state_dict(state, strict=False)
    small = pixels[..., :16, :16]
    torch.testing.assert_close(encode(tower.encoder, small), smaller.visual(small))
    assert_same(tower.encoder, before)


def test_crops_are_normalised_and_of_their_size(tower: Tower, data: TrainingImages) -> None:
    image = READ(data.paths[0].read_bytes(), 64)
    large, small = many_crops(tower, 16, DinoCrops(number=3))(image)
    assert large.shape == (2, 3, 32, 32)
    assert small.shape == (3, 3, 16, 16)
    (pixels,) = one_crop(tower)(image)
    assert pixels.shape == (3, 32, 32)
    # A blue picture; mean 0.5 and standard deviation 0.25 of the tower.
    assert pixels[2].mean() > 0.5 > -0.5 > pixels[0].mean()
