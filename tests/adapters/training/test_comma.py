"""Learned prompts: what generates them, what they are trained for, and that they learn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from accelerate.state import AcceleratorState
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from adapters.prompts import CommaConfig, PromptError
from adapters.training.loop import LoopSettings, Progress, train
from adapters.training.methods.comma.model import CommaPrompts, Generator
from adapters.training.methods.comma.objective import CommaObjective, discrepancy
from adapters.training.order import Turn
from tests.small_clip import small_clip

TOKENIZER = open_clip.get_tokenizer("ViT-B-32")
NAMES = ["red square", "blue square", "green square"]


@pytest.fixture(autouse=True)
def _accelerate_begins_anew() -> None:
    """It keeps its settings for the rest of the process."""
    AcceleratorState._reset_state(reset_partial_state=True)


def objective(**config: Any) -> CommaObjective:
    torch.manual_seed(1)
    return CommaObjective(
        small_clip(), TOKENIZER, NAMES, CommaConfig(**({"depth": 3, "length": 2} | config))
    )


class Colours:
    """Noisy images of three colours, as examples."""

    def __init__(self, each: int = 4) -> None:
        generator = torch.Generator().manual_seed(0)
        self.classes = torch.arange(3).repeat(each)
        self.pixels = 0.3 * torch.randn(3 * each, 3, 32, 32, generator=generator)
        self.pixels[torch.arange(3 * each), self.classes] += 1.5

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        return self.pixels[turn.example], self.classes[turn.example]


def test_a_generator_equals_the_formula() -> None:
    torch.manual_seed(0)
    made = Generator(6, 8).double()
    vision, text = torch.randn(3, 8).double(), torch.randn(3, 6).double()

    def array(name: str) -> NDArray[np.float64]:
        return made.get_parameter(name).detach().numpy()

    v, p = vision.numpy(), text.numpy()
    phi = p @ array("project.weight").T + array("project.bias")
    powers = np.exp(v @ phi.T / np.sqrt(8))
    x = powers / powers.sum(axis=1, keepdims=True) @ phi
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    hidden = np.maximum(x @ array("mlp.0.weight").T + array("mlp.0.bias"), 0)
    assert hidden.shape[1] == 2  # a quarter of the width
    expected = hidden @ array("mlp.2.weight").T + array("mlp.2.bias")
    np.testing.assert_allclose(made(vision, text).detach().numpy(), expected, rtol=1e-9)


def test_prompts_of_a_layer_come_from_both_branches_before_it() -> None:
    torch.manual_seed(0)
    prompts = CommaPrompts(CommaConfig(depth=3), torch.randn(2, 48), 64)
    text, vision = prompts()
    assert text.shape == (3, 2, 48)
    assert vision.shape == (3, 2, 64)
    torch.testing.assert_close(vision[0], prompts.first(text[0]))
    torch.testing.assert_close(vision[1], prompts.generators[0](vision[0], text[0]))
    torch.testing.assert_close(vision[2], prompts.generators[1](vision[1], text[1]))


class Cut(CommaPrompts):
    """As in the published code: generated prompts are assigned through ``.data``."""

    def forward(self) -> tuple[Tensor, Tensor]:
        text, vision = super().forward()
        return text, vision.detach()


def reached_through_images(made: CommaObjective) -> list[bool]:
    """Which layers' text prompts have a gradient from the images alone."""
    text, vision = made.prompts()
    images = made.vision(torch.randn(2, 3, 32, 32), vision.unbind())
    # The second part is always 0; it only lets the gradient exist.
    loss = images.square().sum() + 0 * text.sum()
    (gradient,) = torch.autograd.grad(loss, made.prompts.text)
    return [bool(layer.abs().max() > 0) for layer in gradient]


def test_the_loss_of_the_images_reaches_the_text_prompts() -> None:
    made = objective()
    # Nothing is generated from the last layer's.
    assert reached_through_images(made) == [True, True, False]
    cut = Cut(made.config, torch.randn(2, 48), 64)
    cut.load_state_dict(made.prompts.state_dict())
    made.prompts = cut
    assert reached_through_images(made) == [False, False, False]


def test_every_learned_parameter_gets_a_gradient_and_no_other() -> None:
    made = objective()
    made(torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])).backward()
    for name, parameter in made.named_parameters():
        if name.startswith("prompts."):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
        else:
            assert not parameter.requires_grad, name


def test_only_prompts_are_kept_of_a_run() -> None:
    assert {name.split(".")[0] for name in objective().learned_state()} == {"prompts"}


@pytest.mark.parametrize("weight", [0.0, 2.5])
def test_the_loss_equals_the_formula(weight: float) -> None:
    made = objective(weight=weight, last_layers=2)
    model = small_clip()
    pixels, classes = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    tokens = TOKENIZER([f"a photo of a {name}." for name in NAMES])
    text, vision = (prompts.unbind() for prompts in made.prompts())
    texts, last = made.text(tokens, text, 1, last=2)
    logits = (
        model.logit_scale.exp()
        * normalize(made.vision(pixels, vision), dim=-1)
        @ normalize(texts, dim=-1).T
    )
    outputs: list[Tensor] = []
    for block in model.transformer.resblocks[1:]:
        block.register_forward_hook(lambda _m, _a, x: outputs.append(x))
    model.encode_text(tokens)
    cosines = [
        torch.cosine_similarity(last[layer, row, place], outputs[layer][row, place], dim=0)
        for layer in range(2)
        for row in range(3)
        for place in range(int(tokens[row].argmax()) + 1)
    ]
    expected = cross_entropy(logits, classes) + weight * (1 - torch.stack(cosines).mean())
    torch.testing.assert_close(made(pixels, classes), expected)


def test_untrained_prompts_of_one_layer_are_the_hand_written_text() -> None:
    made = objective(depth=1, length=4)
    text, _ = made.prompts()
    learned, last = made.text(made.tokens, text.unbind(), made.start, last=1)
    torch.testing.assert_close(learned, made.text(made.tokens)[0])
    assert discrepancy(last, made.written, made.real).item() == pytest.approx(0, abs=1e-6)


def learned(
    model: Any, examples: Colours, config: CommaConfig, settings: LoopSettings
) -> tuple[Tensor, Tensor, Progress]:
    """Text prompts, image prompts and how the run went."""
    torch.manual_seed(settings.seed)
    objective = CommaObjective(model, TOKENIZER, NAMES, config)
    progress = train(objective, examples, settings, device="cpu")
    return *objective.learned_prompts(), progress


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_prompts_learn_from_a_few_images(precision: Any) -> None:
    model = small_clip()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    text, vision, progress = learned(
        model,
        Colours(),
        CommaConfig(depth=3, weight=0.1),
        LoopSettings(epochs=15, batch=6, learning_rate=2e-2, precision=precision),
    )
    assert len(progress.losses) == 30
    assert max(progress.losses[-5:]) < 0.5 * progress.losses[0]
    assert text.shape == (3, 2, 48)
    assert vision.shape == (3, 2, 64)
    assert text.dtype == vision.dtype == torch.float32
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_same_seed_gives_the_same_prompts() -> None:
    def vision(seed: int) -> Tensor:
        settings = LoopSettings(batch=3, seed=seed)
        return learned(small_clip(), Colours(1), CommaConfig(depth=2), settings)[1]

    assert torch.equal(vision(0), vision(0))
    assert not torch.equal(vision(0), vision(1))


def test_a_model_of_other_towers_is_not_trained() -> None:
    with pytest.raises(PromptError, match="prompts need an open_clip model"):
        learned(torch.nn.Linear(1, 1), Colours(), CommaConfig(), LoopSettings())


def test_settings_come_back_from_json() -> None:
    config = CommaConfig(3, 4, 0.5, 2, "the {} it is")
    assert CommaConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert config.text("sea") == "the sea it is"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"length": 0}, "length is at least 1"),
        ({"depth": 0}, "depth is at least 1"),
        ({"last_layers": 0}, "last_layers is at least 1"),
        ({"weight": -1.0}, "weight is a finite number"),
        ({"weight": float("nan")}, "weight is a finite number"),
        ({"template": "a photo"}, "no {} for the class name"),
        ({"depth": "9"}, "depth is '9', no int"),
        ({"depth": True}, "depth is True, no int"),
        ({"colour": 1}, "prompts have the settings"),
    ],
)
def test_wrong_settings_are_named(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        CommaConfig.from_dict(CommaConfig().as_dict() | changed)
