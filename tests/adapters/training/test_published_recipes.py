"""The published recipes: set as the authors' code is, and their steps those of plain PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import (
    cosine_similarity,
    cross_entropy,
    dropout,
    gelu,
    interpolate,
    linear,
    log_softmax,
    normalize,
    relu,
    softmax,
)

from adapters.corrections.bottleneck import BottleneckConfig, attach
from adapters.loading import load_dual_encoder
from adapters.training.loop import train
from adapters.training.methods.comma import PRESETS as COMMA
from adapters.training.methods.comma.objective import CommaObjective
from adapters.training.methods.imo import ImoConfig, ImoMethod
from adapters.training.methods.imo.augmentation import as_it_is, many_crops
from adapters.training.methods.imo.model import tower_of
from adapters.training.methods.imo.objectives import supervised_published
from adapters.training.methods.imo.objectives.dino_published import CROPS, PublishedDino
from adapters.training.methods.mixup import PRESETS as MIXUP
from adapters.training.methods.mixup import MixupMethod
from adapters.training.order import Shuffled, Turn
from service.training.checkpoint_file import CheckpointFile
from tests.adapters.training.authors import AUTHORS, published
from tests.small_clip import small_clip, write_small_clip
from tests.tiny_vit import CONFIG

DOCS = Path(__file__).parents[3] / "docs" / "training.md"
TOKENIZER = open_clip.get_tokenizer("ViT-B-32")


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> None:
    AcceleratorState._reset_state(True)


@pytest.fixture(autouse=True)
def _small_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.training.methods.imo.objectives.dino_head._HIDDEN", 24)
    monkeypatch.setattr("adapters.training.methods.imo.objectives.dino_head._BOTTLENECK", 16)


@pytest.mark.parametrize("name", AUTHORS)
def test_a_published_recipe_is_set_as_the_authors_code_is(name: str) -> None:
    found = published()[name]
    assert found == {setting: value for setting, (value, _) in AUTHORS[name].items()}


def test_the_documentation_names_where_each_setting_is_from() -> None:
    text = DOCS.read_text()
    absent = {
        source
        for settings in AUTHORS.values()
        for _, source in settings.values()
        if source not in text
    }
    assert not absent


class Rows:
    """Examples in memory."""

    def __init__(self, *columns: Tensor) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        return tuple(column[turn.example] for column in self.columns)

    def batch(self, seed: int, epoch: int) -> list[Tensor]:
        """All of them, in the order of an epoch."""
        order = Shuffled(len(self), seed)
        order.set_epoch(epoch)
        rows = [turn.example for turn in order]
        return [column[rows] for column in self.columns]


def tiny_tower() -> Any:
    torch.manual_seed(0)
    visual: Any = open_clip.CLIP(**CONFIG).double().eval().requires_grad_(False).visual
    return visual


def embed(
    visual: Any, layers: Sequence[Sequence[Tensor]], scale: float, pixels: Tensor, drop: float = 0
) -> Tensor:
    """A ViT with ``x + MLP(LN(x)) + s · Up(dropout(ReLU(Down(x))))`` in each block."""
    x = visual.conv1(pixels).flatten(2).transpose(1, 2)
    positions = visual.positional_embedding
    if x.shape[1] + 1 != len(positions):
        side, before = math.isqrt(x.shape[1]), math.isqrt(len(positions) - 1)
        grid = positions[1:].reshape(1, before, before, -1).permute(0, 3, 1, 2).float()
        grid = interpolate(grid, scale_factor=(side + 0.1) / before, mode="bicubic").double()
        positions = torch.cat([positions[:1], grid.permute(0, 2, 3, 1)[0].flatten(0, 1)])
    first = visual.class_embedding.expand(len(x), 1, -1)
    x = visual.ln_pre(torch.cat([first, x], dim=1) + positions)
    for block, (down, down_bias, up, up_bias) in zip(
        visual.transformer.resblocks, layers, strict=True
    ):
        normal = block.ln_1(x)
        x = x + block.attn(normal, normal, normal, need_weights=False)[0]
        added = linear(dropout(relu(linear(x, down, down_bias)), drop), up, up_bias)
        x = x + block.mlp(block.ln_2(x)) + scale * added
    embedded: Tensor = visual.ln_post(x)[:, 0] @ visual.proj
    return embedded


def copies(module: nn.Module) -> list[Tensor]:
    return [p.detach().clone().requires_grad_() for p in module.parameters()]


def fours(parameters: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    return [parameters[n : n + 4] for n in range(0, len(parameters), 4)]


def assert_close(found: Sequence[Tensor], expected: Sequence[Tensor], **given: Any) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.detach(), other.detach(), **given)


def test_supervised_steps_are_those_of_plain_pytorch() -> None:
    method = ImoMethod(ImoConfig(objective="supervised-published", batch=6, epochs=2))
    data = Rows(torch.rand(6, 3, 32, 32).double(), torch.arange(6) % 3)
    tower, visual = _tower(), tiny_tower()
    torch.manual_seed(method.seed)
    adapter = attach(tower.visual, replace(method.adapter, width=8))
    with torch.no_grad():
        for layer in adapter.layers:
            nn.init.normal_(layer.get_parameter("up.weight"))
    made = method.recipe.build(tower, adapter, "abc", method.epochs)
    objective: Any = made.objective.double()
    ours, classifier = copies(adapter), copies(objective.classifier)
    optimiser = torch.optim.AdamW([*ours, *classifier], lr=8e-3)
    for step in range(2):
        pixels, labels = data.batch(0, step)
        torch.manual_seed(hash((0, step, 0, 0)))
        rows = embed(visual, fours(ours), 0.03, pixels, drop=0.1)
        loss = cross_entropy(linear(rows, *classifier), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    train(objective, data, method.loop_settings(6, 1), device="cpu")
    assert_close([*adapter.parameters(), *objective.classifier.parameters()], [*ours, *classifier])


def _tower() -> Any:
    visual = tiny_tower().float()
    visual.preprocess_cfg = {"size": 32, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    tower = tower_of("tiny", visual, visual)
    visual.double()
    return tower


def head(parameters: Sequence[Tensor], rows: Tensor) -> Tensor:
    prototypes, a, b, c, d, e, f = parameters
    rows = linear(gelu(linear(gelu(linear(rows, a, b)), c, d)), e, f)
    return linear(normalize(rows.float(), dim=-1), normalize(prototypes, dim=1))


def published_dino(method: ImoMethod) -> Any:
    tower = _tower()
    torch.manual_seed(method.seed)
    student, teacher = (attach(tower.visual, replace(method.adapter, width=8)) for _ in "st")
    with torch.no_grad():
        for layer in student.layers:
            nn.init.normal_(layer.get_parameter("up.weight"))
    objective: Any = PublishedDino(tower.encoder, student, teacher, tower.width, outputs=20)
    objective.double()
    for made in (objective.student_head, objective.teacher_head):
        made.prototypes.data = made.prototypes.data.float()
    objective.centre = objective.centre.float()
    return objective


def crops_in_memory() -> Rows:
    generator = torch.Generator().manual_seed(0)
    large = torch.randn(6, 2, 3, 32, 32, generator=generator).double()
    return Rows(large, torch.randn(6, 3, 3, 16, 16, generator=generator).double())


def test_dino_steps_are_those_of_plain_pytorch() -> None:
    """Six steps in three epochs: all schedules have moved, and the teacher's temperature."""
    epochs, steps, peak, warm = 3, 2, 1e-3, 1
    method = ImoMethod(
        ImoConfig(objective="dino-published", batch=3, epochs=epochs, learning_rate=peak)
    )
    data, objective = crops_in_memory(), published_dino(method)
    student, teacher = objective.student, objective.teacher
    fixed = [p.detach().clone() for p in objective.student_head.parameters()]
    ours, kept = copies(student), [p.detach().clone() for p in student.parameters()]
    centre, total = torch.zeros(20), epochs * steps
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in ours if p.ndim > 1]},
            {"params": [p for p in ours if p.ndim == 1], "weight_decay": 0},
        ]
    )
    cosine = [(1 + math.cos(math.pi * n / total)) / 2 for n in range(total)]
    rates = [0.0] + [
        2e-6 + (peak - 2e-6) * (1 + math.cos(math.pi * n / (total - warm))) / 2
        for n in range(total - warm)
    ]
    visual = tiny_tower()
    for step in range(total):
        epoch, part = divmod(step, steps)
        crops = [column.split(3)[part] for column in data.batch(1, epoch)]
        images = [*crops[0].unbind(1), *crops[1].unbind(1)]
        optimiser.param_groups[0]["weight_decay"] = 0.4 + (0.04 - 0.4) * cosine[step]
        for group in optimiser.param_groups:
            group["lr"] = rates[step]
        with torch.no_grad():
            taught = torch.cat(
                [head(fixed, embed(visual, fours(kept), 0.1, images[n])) for n in range(2)]
            )
            wanted = softmax((taught - centre) / (0.04, 0.055, 0.07)[epoch], dim=-1).chunk(2)
        found = [
            log_softmax(head(fixed, embed(visual, fours(ours), 0.1, image)) / 0.1, dim=-1)
            for image in images
        ]
        losses = [
            -(wanted[n] * found[m]).sum(dim=-1).mean() for n in range(2) for m in range(5) if m != n
        ]
        optimiser.zero_grad()
        (sum(losses, torch.zeros(())) / len(losses)).backward()
        for parameter in ours:
            assert parameter.grad is not None
            parameter.grad *= min(1.0, 0.3 / (float(parameter.grad.norm()) + 1e-6))
        optimiser.step()
        centre = 0.9 * centre + 0.1 * taught.mean(dim=0)
        momentum = 1 + (0.9998 - 1) * cosine[step]
        kept = [momentum * k + (1 - momentum) * p.detach() for k, p in zip(kept, ours, strict=True)]
    train(objective, data, method.loop_settings(6, 1), device="cpu")
    assert_close(list(student.parameters()), ours, rtol=1e-5, atol=1e-7)
    assert_close(list(teacher.parameters()), kept, rtol=1e-5, atol=1e-7)
    assert_close(list(objective.student_head.parameters()), fixed, rtol=0, atol=0)


@pytest.mark.parametrize("interrupted", [2, 3])
def test_a_dino_run_is_resumed_to_the_same_bits(interrupted: int, tmp_path: Path) -> None:
    method = ImoMethod(ImoConfig(objective="dino-published", batch=3, epochs=3, learning_rate=1e-3))
    settings = replace(method.loop_settings(6, 1), save_every=1)
    whole, parts, resumed = (published_dino(method) for _ in range(3))
    train(whole, crops_in_memory(), settings, device="cpu")
    kept = CheckpointFile(tmp_path / "checkpoint.pt")

    def stop(step: int, *_: Any) -> None:
        if step == interrupted + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(parts, crops_in_memory(), settings, kept, device="cpu", report=stop)
    train(resumed, crops_in_memory(), settings, kept, device="cpu", resume=True)
    for name, value in whole.learned_state().items():
        assert torch.equal(resumed.learned_state()[name], value), name


def test_comma_steps_are_those_of_plain_pytorch() -> None:
    preset = COMMA["published"]
    settings = replace(preset.loop, epochs=3, batch=4)
    config = replace(preset.prompts, depth=3)
    terms = replace(preset.terms, anchor="{}, a satellite photo.")
    names = ["red square", "blue square"]
    data = Rows(torch.randn(4, 3, 32, 32).double(), torch.arange(4) % 2)
    model = small_clip().double()
    torch.manual_seed(0)
    made: Any = CommaObjective(model, TOKENIZER, names, config, terms)
    made.double()
    first = made.prompts.first
    text, weight, bias = copies(nn.ParameterList([made.prompts.text, *first.parameters()]))
    generators = [p.detach().clone() for p in made.prompts.generators.parameters()]
    tokens = TOKENIZER([f"a photo of a {name}." for name in names])
    outputs: list[Tensor] = []
    hook = model.transformer.resblocks[-1].register_forward_hook(
        lambda _module, _args, output: outputs.append(output)
    )
    model.encode_text(TOKENIZER([f"{name}, a satellite photo." for name in names]))
    hook.remove()
    velocity = [torch.zeros_like(p) for p in (text, weight, bias)]
    for epoch, rate in enumerate((1e-5, 0.0035, 0.0035 * (1 + math.cos(math.pi / 3)) / 2)):
        pixels, labels = data.batch(1, epoch)
        vision = [linear(text[0], weight, bias)]
        for number, generate in enumerate(made.prompts.generators):
            vision.append(generate(vision[-1], text[number]).detach())
        texts, last = made.text(tokens, text.unbind(), 1, 1, padded=True)
        images = made.vision(pixels, vision)
        logits = made.scale * normalize(images.float(), dim=-1) @ normalize(texts.float(), dim=-1).T
        assert last.shape[2] == 77
        cosines = cosine_similarity(last[0].float(), outputs[0].float(), dim=-1)
        loss = cross_entropy(logits, labels) + 1 - cosines.mean()
        gradients = torch.autograd.grad(loss, [text, weight, bias])
        with torch.no_grad():
            for p, g, v in zip((text, weight, bias), gradients, velocity, strict=True):
                v.mul_(0.9).add_(g + 5e-4 * p)
                p.sub_(rate * v)
    train(made, data, settings, device="cpu")
    learned = [made.prompts.text, *made.prompts.first.parameters()]
    assert_close(learned, [text, weight, bias], rtol=1e-6, atol=1e-8)
    assert_close(list(made.prompts.generators.parameters()), generators, rtol=0, atol=0)


def test_images_reach_the_first_text_prompts_alone_where_generators_are_fixed() -> None:
    """As in the authors' code, whose V_0 is a learned linear map of P_0."""
    preset = COMMA["published"]
    made = CommaObjective(
        small_clip(), TOKENIZER, ["sea", "sky"], replace(preset.prompts, depth=3), preset.terms
    )
    text, vision = made.prompts()
    images = made.vision(torch.randn(2, 3, 32, 32), vision.unbind())
    (images.square().sum() + 0 * text.sum()).backward()
    gradient = made.prompts.text.grad
    assert gradient is not None
    assert [bool(layer.any()) for layer in gradient] == [True, False, False]
    assert made.prompts.first.weight.grad is not None
    assert all(p.grad is None for p in made.prompts.generators.parameters())


def slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    angle = torch.acos((a * b).sum(dim=1, keepdim=True))
    return (torch.sin(share * angle) * a + torch.sin((1 - share) * angle) * b) / torch.sin(angle)


@pytest.mark.parametrize("mixes", [("m2",), ("m2", "v")])
def test_mixup_steps_are_those_of_plain_pytorch(mixes: tuple[str, ...], tmp_path: Path) -> None:
    preset = MIXUP["published"]
    weights = dict.fromkeys(mixes, 3.0)  # large enough to be seen
    loop = replace(preset.loop, epochs=2, batch=4, learning_rate=1e-3)
    encoder = load_dual_encoder(write_small_clip(tmp_path))
    pixels = torch.randn(4, 3, 32, 32).double()
    tokens = TOKENIZER(["one", "two of them", "three", "four"])
    data = Rows(pixels, tokens)
    method = MixupMethod("model", preset.config(weights), loop, preset.augmented)
    made: Any = method.build(encoder, ()).objective
    made.double()
    plain: Any = small_clip().double()
    plain.load_state_dict(made.model.state_dict())
    plain.requires_grad_(True)
    learned = [p for name, p in plain.named_parameters() if name != "logit_scale"]
    optimiser = torch.optim.AdamW(learned, weight_decay=0.2)
    one, shape = torch.eye(4), 0.5 if len(mixes) == 1 else 0.2
    # No step warms up: a tenth of two.
    for step, rate in enumerate((1e-3, 0.5e-3)):
        images, texts = data.batch(1, step)
        torch.manual_seed(hash((1, step, 0, 0)))
        images = normalize(plain.encode_image(images), dim=-1).float()
        texts = normalize(plain.encode_text(texts), dim=-1).float()
        cosines = images @ texts.T
        loss = (cross_entropy(100 * cosines, one) + cross_entropy(100 * cosines.T, one)) / 2
        drawn = torch.distributions.Beta(torch.tensor(shape), torch.tensor(shape)).sample()
        mixed = slerp(images, texts, drawn)
        for rows in (images, texts):
            hard = torch.where(one.bool(), cosines, rows @ mixed.T)
            loss = loss + 3 / (step + 1) * cross_entropy(hard / 0.07, one)
        if len(mixes) == 2:
            drawn = torch.distributions.Beta(torch.tensor(0.5), torch.tensor(0.5)).sample()
            logits = 100 * slerp(images, images.flip(0), drawn) @ texts.T
            wanted = drawn * one + (1 - drawn) * one.flip(0)
            both = cross_entropy(logits, wanted) + cross_entropy(logits.T, wanted.T)
            loss = loss + 3 / (step + 1) * both / 2
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    scale = made.model.logit_scale.detach().clone()
    train(made, data, loop, device="cpu")
    assert torch.equal(made.model.logit_scale, scale)
    # Adam's steps are as large for a gradient of next to nothing, which is rounding here.
    found = [p for name, p in made.model.named_parameters() if name != "logit_scale"]
    for mine, theirs in zip(found, learned, strict=True):
        assert (mine - theirs).abs().mean() < 2e-5
        torch.testing.assert_close(mine.detach(), theirs.detach(), rtol=0, atol=4e-3)


def picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_supervised_images_are_resized_cut_and_not_normalised() -> None:
    (found,) = as_it_is(_tower())(picture(80, 64))
    resized = picture(80, 64).resize((40, 32), Image.Resampling.BICUBIC).crop((4, 0, 36, 32))
    expected = torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1) / 255
    torch.testing.assert_close(found, expected)


def test_dino_takes_ten_small_crops_normalised_as_imagenet_is() -> None:
    transform = many_crops(_tower(), 16, CROPS)
    large, small = transform(Image.new("RGB", (64, 64)))
    assert large.shape == (2, 3, 32, 32)
    assert small.shape == (10, 3, 16, 16)
    black = torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    torch.testing.assert_close(small, black[:, None, None].expand_as(small))


def test_dropout_is_of_training_alone_and_leaves_the_adapter_as_it_is() -> None:
    tower = _tower()
    adapter = attach(tower.visual, BottleneckConfig(width=8))
    names = set(adapter.state_dict())
    supervised_published.drop_within(adapter, 0.5)
    assert set(adapter.state_dict()) == names
    nn.init.normal_(adapter.layers[0].get_parameter("up.weight"))
    pixels = torch.randn(2, 3, 32, 32).double()
    adapter.double().train()
    assert not torch.equal(tower.encoder(pixels), tower.encoder(pixels))
    adapter.eval()
    assert torch.equal(tower.encoder(pixels), tower.encoder(pixels))


def test_the_first_temperatures_are_those_of_the_first_epochs() -> None:
    tower = _tower()
    made = PublishedDino(
        tower.encoder, attach(tower.visual), attach(tower.visual), tower.width, outputs=8
    )
    found = []
    for epoch in range(5):
        made.begin_epoch(epoch)
        found.append(made.temperature)
    assert found == pytest.approx([*np.linspace(0.04, 0.07, 3), 0.07, 0.07])
