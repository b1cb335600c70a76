"""A leaner pass through a ViT computes what the tower itself does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor, nn

from adapters.corrections.bottleneck import attach
from adapters.engines.lean import lean
from adapters.loading import load_dual_encoder
from tests.tiny_vit import CONFIG, write_tiny_vit


def tower(**changes: Any) -> Any:
    torch.manual_seed(0)
    vision = CONFIG["vision_cfg"] | changes  # type: ignore[operator]
    model = open_clip.CLIP(**CONFIG | {"vision_cfg": vision})
    return model.visual.eval().requires_grad_(False)


def images(n: int = 3) -> Tensor:
    return torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def tokens_of_last_mlp(visual: Any) -> int:
    """How many tokens of an image the last block computes."""
    seen: list[int] = []
    hook = visual.transformer.resblocks[-1].mlp.register_forward_hook(
        lambda _module, args, _output: seen.append(args[0].shape[1])
    )
    with torch.inference_mode():
        visual(images())
    hook.remove()
    return seen[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pool_type": "avg"},
        {"final_ln_after_pool": True},
        {"attentional_pool": True},
        {"ls_init_value": 0.1},
        {"patch_size": 10},
        {"block_type": "custom", "qk_norm": True},
    ],
    ids=["plain", "average", "norm later", "attentional", "layer scale", "cut off", "custom"],
)
def test_embeddings_stay_the_same(changes: dict[str, Any]) -> None:
    visual = tower(**changes)
    with torch.inference_mode():
        wanted = visual(images())
        with lean(visual):
            found = visual(images())
        again = visual(images())
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(again, wanted, atol=0, rtol=0)


@pytest.mark.parametrize(("pool", "tokens"), [("tok", 1), ("avg", 17)])
def test_the_last_block_computes_what_is_pooled(pool: str, tokens: int) -> None:
    visual = tower(pool_type=pool)
    assert tokens_of_last_mlp(visual) == 17
    with lean(visual):
        assert tokens_of_last_mlp(visual) == tokens
    assert tokens_of_last_mlp(visual) == 17


def test_attention_is_not_that_of_pytorchs_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise AssertionError("PyTorch's module")

    visual = tower()
    monkeypatch.setattr(nn.MultiheadAttention, "forward", fails)
    with lean(visual):
        visual(images())
    with pytest.raises(AssertionError, match="PyTorch's module"):
        visual(images())


def test_an_adapters_hooks_run(tmp_path: Path) -> None:
    visual = load_dual_encoder(f"local-dir:{write_tiny_vit(tmp_path)}").visual.eval()
    adapter = attach(visual)
    for layer in adapter.layers:
        nn.init.normal_(layer.get_submodule("up").get_parameter("weight"))
    with torch.inference_mode(), adapter.both():
        wanted = visual(images())
        with lean(visual):
            found = visual(images())
    assert len(wanted) == 6
    assert float((wanted[:3] - wanted[3:]).abs().max()) > 0.01
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_a_tower_is_as_before_after_an_error() -> None:
    visual = tower()

    def stop() -> None:
        with lean(visual):
            raise KeyError("stop")

    with pytest.raises(KeyError):
        stop()
    assert not any("forward" in vars(module) for module in visual.modules())


def test_other_towers_are_left_alone() -> None:
    visual = load_dual_encoder("lite").visual
    with lean(visual):
        assert not any("forward" in vars(module) for module in visual.modules())
