"""A bottleneck adapter on the image towers that there are, with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from torch import Tensor, nn

from adapters.backbones.lite.model import build_lite
from adapters.corrections.bottleneck import (
    Adapted,
    AdaptedBeforeProjection,
    BottleneckAdapter,
    BottleneckConfig,
    NoInsertionPointError,
    attach,
    insertion_points,
)
from tests.tiny_vit import CONFIG


def tiny_clip() -> nn.Module:
    return open_clip.CLIP(**CONFIG).visual  # type: ignore[no-any-return]


def tiny_clip_with_tokens_first() -> nn.Module:
    visual = open_clip.transformer.VisionTransformer(
        image_size=32, patch_size=8, width=64, layers=2, heads=2, mlp_ratio=4.0, output_dim=32
    )
    # Tokens, images, width, as in the towers of before open_clip 2.28.
    visual.transformer.batch_first = False
    for block in visual.transformer.resblocks:
        block.attn.batch_first = False
    return visual  # type: ignore[no-any-return]


def timm_tower(name: str, **arguments: Any) -> nn.Module:
    tower = TimmModel("vit_tiny_patch16_224", embed_dim=24, image_size=32)
    tower.trunk = timm.create_model(name, num_classes=0, **arguments)
    tower.head = nn.Linear(tower.trunk.num_features, 24)
    return tower  # type: ignore[no-any-return]


def tiny_siglip() -> nn.Module:
    return timm_tower(
        "vit_base_patch16_siglip_224", img_size=32, embed_dim=48, depth=2, num_heads=2
    )


def tiny_eva() -> nn.Module:
    return timm_tower(
        "eva02_base_patch16_clip_224", img_size=32, embed_dim=48, depth=2, num_heads=2
    )


TINY = {
    "open_clip": tiny_clip,
    "open_clip, tokens first": tiny_clip_with_tokens_first,
    "siglip": tiny_siglip,
    "eva": tiny_eva,
}


@pytest.fixture(scope="module", params=["ViT-B-16", "ViT-B-32", "lite"])
def real(request: pytest.FixtureRequest) -> Iterator[nn.Module]:
    """The image tower of a real backbone; random weights, except for those of `lite`."""
    torch.manual_seed(0)
    if request.param == "lite":
        yield build_lite().visual
    else:
        yield open_clip.create_model(request.param).eval().visual


@pytest.fixture(params=TINY)
def tiny(request: pytest.FixtureRequest) -> nn.Module:
    """A small tower of each kind."""
    torch.manual_seed(0)
    return TINY[request.param]().eval().requires_grad_(False)


def side(visual: Any) -> int:
    sides: tuple[int, int] = (
        visual.trunk.patch_embed.img_size if hasattr(visual, "trunk") else visual.image_size
    )
    return sides[0]


def trained(visual: nn.Module, config: BottleneckConfig | None = None) -> BottleneckAdapter:
    """An adapter that does something."""
    adapter = attach(visual, config or BottleneckConfig(width=8, scale=0.5))
    torch.manual_seed(1)
    for layer in adapter.layers:
        nn.init.normal_(layer.get_parameter("up.weight"), std=0.3)
    return adapter


@torch.no_grad()
def test_an_untrained_adapter_changes_nothing(real: nn.Module) -> None:
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    before = real(pixels)
    adapter = attach(real)
    try:
        assert torch.equal(real(pixels), before)
        with adapter.frozen():
            assert torch.equal(real(pixels), before)
        nn.init.ones_(adapter.layers[0].get_parameter("up.weight"))
        assert not torch.equal(real(pixels), before)
        with adapter.frozen():
            assert torch.equal(real(pixels), before)
        object.__setattr__(adapter.config, "scale", 0.0)
        assert torch.equal(real(pixels), before)
    finally:
        adapter.detach()


def test_an_adapter_is_small() -> None:
    with torch.device("meta"):
        model = open_clip.CLIP(
            **{k: v for k, v in open_clip.get_model_config("ViT-B-16").items() if k != "custom"}
        )
        adapter = attach(model.visual)
    share = sum(p.numel() for p in adapter.parameters()) / sum(
        p.numel() for p in model.parameters()
    )
    assert 0.007 < share < 0.009
    assert len(adapter.names) == 12


@torch.no_grad()
def test_both_passes_are_those_of_two(tiny: nn.Module) -> None:
    pixels = torch.randn(3, 3, side(tiny), side(tiny))
    before = tiny(pixels)
    adapter = trained(tiny)
    adapted = tiny(pixels)
    with adapter.frozen():
        frozen = tiny(pixels)
    assert torch.equal(frozen, before)
    assert (adapted - frozen).abs().max() > 1e-3
    with adapter.both():
        rows = tiny(pixels)
    torch.testing.assert_close(rows, torch.cat([frozen, adapted]), rtol=1e-4, atol=1e-5)
    with adapter.both():
        one = tiny(pixels[:1])
    torch.testing.assert_close(one, torch.stack([frozen[0], adapted[0]]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_both_passes_of_lite_are_those_of_two() -> None:
    visual: Any = build_lite().model.visual
    pixels = torch.randn(2, 3, 224, 224)
    plain = visual(pixels), visual.trunk(pixels)
    adapter = trained(visual, BottleneckConfig(width=8, scale=0.05, places=(7, 8, 9)))
    found = AdaptedBeforeProjection(adapter).embed(visual, pixels)
    torch.testing.assert_close(found[0], plain[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1], visual.trunk(pixels), rtol=1e-4, atol=1e-5)
    assert (found[1] - plain[1]).abs().max() > 1e-3


@torch.no_grad()
def test_the_correction_gives_the_frozen_and_the_adapted_embedding(tiny: nn.Module) -> None:
    pixels = torch.randn(2, 3, side(tiny), side(tiny))
    before = tiny(pixels)
    correction = Adapted(trained(tiny))
    frozen, adapted = correction.embed(tiny, pixels)
    torch.testing.assert_close(frozen, before, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(adapted, tiny(pixels), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_an_adapter_sits_only_where_it_is_asked_to(tiny: nn.Module) -> None:
    every = insertion_points(tiny)
    adapter = attach(tiny, BottleneckConfig(places=(1,)))
    assert adapter.names == (every[1].name,)
    assert len(adapter.layers) == 1
    with pytest.raises(NoInsertionPointError, match=f"0 to {len(every) - 1}"):
        attach(tiny, BottleneckConfig(places=(len(every),)))


@torch.no_grad()
def test_a_detached_adapter_is_gone(tiny: nn.Module) -> None:
    pixels = torch.randn(2, 3, side(tiny), side(tiny))
    before, state = tiny(pixels), {name: v.clone() for name, v in tiny.state_dict().items()}
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in tiny.modules())
    adapter = trained(tiny)
    adapter.detach()
    assert torch.equal(tiny(pixels), before)
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in tiny.modules()) == hooks
    assert all(torch.equal(value, state[name]) for name, value in tiny.state_dict().items())


@torch.no_grad()
def test_an_adapter_adds_what_the_paper_says() -> None:
    """``x + MLP(LN(x)) + s · Up(ReLU(Down(x)))``, written out for one block."""
    torch.manual_seed(0)
    visual = tiny_clip().eval()
    block: Any = visual.get_submodule("transformer.resblocks.0")
    tokens = torch.randn(2, 5, 64)
    x = tokens + block.attention(q_x=block.ln_1(tokens))
    adapter = trained(visual)
    layer: Any = adapter.layers[0]
    wanted = x + block.mlp(block.ln_2(x)) + 0.5 * layer.up(torch.relu(layer.down(x)))
    torch.testing.assert_close(block(tokens), wanted)


def test_gradients_reach_the_adapter_alone(tiny: nn.Module) -> None:
    adapter = trained(tiny)
    tiny(torch.randn(2, 3, side(tiny), side(tiny))).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in adapter.parameters())
    assert all(p.grad is None for p in tiny.parameters())


def test_a_pass_that_fails_leaves_nothing_behind(tiny: nn.Module) -> None:
    adapter = trained(tiny)
    pixels = torch.randn(2, 3, side(tiny), side(tiny))
    with torch.no_grad():
        before = tiny(pixels)

        def fail(*_: Any) -> Tensor:
            raise ValueError("no")

        hook = insertion_points(tiny)[1].starts[1].register_forward_pre_hook(fail)
        with pytest.raises(ValueError, match="no"), adapter.both():
            tiny(pixels)
        hook.remove()
        with adapter.frozen(), pytest.raises(RuntimeError):
            tiny(pixels[:, :1])
        assert torch.equal(tiny(pixels), before)


@pytest.mark.parametrize("projected", [False, True], ids=["pools", "projects"])
def test_the_last_place_of_an_efficientnet_reads_what_is_pooled(projected: bool) -> None:
    torch.manual_seed(0)
    tower = timm_tower("tf_efficientnet_lite0").eval()
    trunk: Any = tower.trunk
    if projected:
        trunk.classifier = nn.Linear(trunk.num_features, 24)
    last = len(insertion_points(tower)) - 1
    adapter = attach(tower, BottleneckConfig(width=4, scale=0.5, places=(last,)))
    nn.init.normal_(adapter.layers[0].get_parameter("up.weight"))
    with torch.no_grad():
        pixels = torch.randn(2, 3, 32, 32)
        pooled = trunk.global_pool(trunk.forward_features(pixels))
        with adapter.both():
            frozen, adapted = trunk(pixels).chunk(2)
        expected = 0.5 * adapter.layers[0](pooled)
    assert adapted.shape == (2, 24 if projected else trunk.num_features)
    torch.testing.assert_close(adapted - frozen, expected)
    # Adapters with all places are those of before there was this one.
    assert attach(tower).names == tuple(point.name for point in insertion_points(tower)[:last])


def test_a_tower_without_blocks_is_refused() -> None:
    with torch.device("meta"):
        convnext = timm_tower("convnext_atto")
    with pytest.raises(NoInsertionPointError, match="ConvNeXt is neither"):
        attach(convnext)
    resnet = ModifiedResNet(layers=(1, 1, 1, 1), output_dim=8, heads=2, image_size=32, width=8)
    with pytest.raises(NoInsertionPointError, match="ModifiedResNet is neither"):
        attach(resnet)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0}, "at least 1"),
        ({"scale": float("nan")}, "finite"),
        ({"scale": float("inf")}, "finite"),
        ({"places": (1, 1)}, "named twice"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BottleneckConfig(**wrong)


def test_settings_survive_json() -> None:
    config = BottleneckConfig(width=3, scale=0.5, places=(1, 4))
    assert BottleneckConfig.from_dict(config.as_dict()) == config
    with pytest.raises(ValueError, match="a bottleneck has"):
        BottleneckConfig.from_dict({"width": 3})
