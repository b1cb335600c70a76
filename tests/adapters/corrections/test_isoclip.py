"""IsoCLIP is the projection that its paper writes down, on every tower that ends in a matrix."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from adapters.backbone_errors import NoLinearProjectionError
from adapters.backbones.lite.model import build_lite
from adapters.corrections import ISOCLIP, NO_ADAPTER
from adapters.corrections.isoclip import IsoClip, image_projection, isotropic, text_projection
from adapters.loading import load_backbone, load_correction, load_dual_encoder
from tests.tiny_vit import CONFIG, write_tiny_vit

TEXT: Any = CONFIG["text_cfg"]
widths = st.integers(8, 24)


def projections(joint: int, p: int, q: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(joint, p, generator=generator, dtype=torch.float64)
    return image, torch.randn(joint, q, generator=generator, dtype=torch.float64)


def as_published(
    image: Tensor, text: Tensor, kept: range, features: Tensor
) -> np.ndarray[Any, Any]:
    """``W_i U_k U_kᵀ f`` of (n, p) features."""
    u = np.linalg.svd((image.T @ text).numpy())[0][:, kept.start : kept.stop]
    found: np.ndarray[Any, Any] = features.numpy() @ (image.numpy() @ u @ u.T).T
    return found


def orthogonal(n: int, seed: int) -> Tensor:
    drawn = torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(drawn)[0]


@settings(max_examples=60, deadline=None)
@given(widths, widths, widths, st.integers(0, 2**31))
def test_it_is_the_projection_of_pooled_features(joint: int, p: int, q: int, seed: int) -> None:
    image, text = projections(joint, p, q, seed)
    matrix, kept, rank = isotropic(image, text)
    assert rank == min(joint, p, q)
    features = torch.randn(5, p, generator=torch.Generator().manual_seed(seed + 1)).double()
    found = (features @ image.T) @ matrix.T
    wanted = as_published(image, text, kept, features)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6 * np.abs(wanted).max())


@settings(max_examples=30, deadline=None)
@given(widths, widths, widths, st.integers(0, 2**31))
def test_it_projects_onto_as_many_directions_as_are_kept(
    joint: int, p: int, q: int, seed: int
) -> None:
    matrix, kept, _ = isotropic(*projections(joint, p, q, seed))
    torch.testing.assert_close(matrix @ matrix, matrix, atol=1e-5, rtol=1e-5)
    assert float(matrix.trace()) == pytest.approx(len(kept), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(widths, widths, widths, st.integers(0, 2**31))
def test_how_the_spaces_are_turned_does_not_matter(joint: int, p: int, q: int, seed: int) -> None:
    image, text = projections(joint, p, q, seed)
    matrix, _, _ = isotropic(image, text)
    turned = orthogonal(joint, seed)
    again, _, _ = isotropic(
        turned @ image @ orthogonal(p, seed), turned @ text @ orthogonal(q, seed)
    )
    torch.testing.assert_close(turned.T @ again @ turned, matrix, atol=1e-5, rtol=1e-5)


def test_of_512_directions_the_first_200_and_the_last_50_are_left_out() -> None:
    _, kept, rank = isotropic(*projections(512, 768, 512, 0))
    assert (rank, kept) == (512, range(200, 462))


def test_directions_that_no_text_has_are_not_counted() -> None:
    image, text = projections(24, 24, 24, 0)
    text[:, 16:] = text[:, :8]
    _, kept, rank = isotropic(image, text)
    assert (rank, kept) == (16, range(6, 14))


def test_too_few_directions_are_refused() -> None:
    with pytest.raises(NoLinearProjectionError, match=r"rank 2; .*--adapter none"):
        isotropic(*projections(2, 8, 8, 0))


def test_a_backbone_is_corrected_by_what_its_tower_pools(tmp_path: Path) -> None:
    name = f"local-dir:{write_tiny_vit(tmp_path)}"
    corrected, plain = (load_backbone(name, "cpu", adapter=one) for one in (ISOCLIP, NO_ADAPTER))
    model: Any = load_dual_encoder(name).model.eval()
    pixels = torch.randint(0, 256, (4, 32, 32, 3), generator=torch.Generator().manual_seed(0))
    rows = corrected.encode_images(pixels.to(torch.uint8))
    assert torch.equal(rows.frozen, plain.encode_images(pixels.to(torch.uint8)).frozen)
    image, text = model.visual.proj.detach().T.double(), model.text_projection.detach().T.double()
    model.visual.proj = None
    with torch.inference_mode():
        normalised = (pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
        pooled = model.visual(normalised).double()
    wanted = torch.from_numpy(as_published(image, text, range(12, 29), pooled))
    wanted = torch.nn.functional.normalize(wanted, dim=1).float()
    torch.testing.assert_close(rows.corrected, wanted, atol=1e-5, rtol=0)
    assert not torch.allclose(rows.corrected, rows.frozen, atol=0.1)
    assert corrected.correction.name == "isoclip, directions 12 to 29 of 32"
    assert not corrected.correction.joint
    assert corrected.fingerprint != plain.fingerprint


def custom(vision: dict[str, Any], text: dict[str, Any] | None = None) -> Any:
    torch.manual_seed(0)
    sizes = {"image_size": 32, "timm_pool": "", "timm_proj": "none"}
    return open_clip.CustomTextCLIP(32, sizes | vision, TEXT | (text or {})).eval()


@pytest.mark.parametrize("pool", ["token", ""])
def test_a_timm_tower_with_a_linear_head_is_corrected_with_its_bias(pool: str) -> None:
    # The head is the trunk's own, or open_clip's behind it.
    vision = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": pool}
    model = custom(vision | {"timm_proj": "" if pool else "linear"}, {"proj_bias": True})
    torch.nn.init.normal_(model.text.text_projection.bias)
    if pool:
        torch.nn.init.normal_(model.visual.trunk.head.bias)
    correction = IsoClip(model)
    pixels = torch.randn(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    bare = copy.deepcopy(model.visual)
    bare.trunk.head, bare.head = nn.Identity(), nn.Identity()
    with torch.inference_mode():
        _, corrected = correction.embed(model.visual, pixels)
        pooled = bare(pixels).double()
    image, text = (f(model).detach().double() for f in (image_projection, text_projection))
    assert image.shape == (32, 192 + bool(pool))
    assert text.shape == (32, 33)
    pooled = torch.cat([pooled, torch.ones(3, 1).double()], dim=1) if pool else pooled
    wanted = as_published(image, text, isotropic(image, text)[1], pooled)
    np.testing.assert_allclose(corrected.numpy(), wanted, atol=1e-4 * np.abs(wanted).max())


def test_towers_without_a_matrix_at_their_end_are_refused() -> None:
    with pytest.raises(
        NoLinearProjectionError, match=r"the text tower .*HFTextEncoder.* train imo"
    ):
        load_correction(build_lite(), ISOCLIP)
    # SigLIP's: the pooling is a block of its own, and nothing comes after it.
    pooled = {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "map"}
    with pytest.raises(NoLinearProjectionError, match=r"the image tower .*VisionTransformer"):
        IsoClip(custom(pooled))
    resnet = {"layers": (1, 1, 1, 1), "width": 16, "image_size": 32}
    with pytest.raises(NoLinearProjectionError, match=r"the image tower .*ModifiedResNet"):
        IsoClip(open_clip.CLIP(32, resnet, TEXT))
