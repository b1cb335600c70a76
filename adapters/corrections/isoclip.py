"""IsoCLIP: images compared in the directions in which both towers are aligned evenly."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from adapters.backbone_errors import NoLinearProjectionError

FIRST, LAST = 200 / 512, 50 / 512
"""Share of the directions that are left out at both ends: the paper's 200 and 50 on ViT-B/16."""


class IsoClip:
    """IsoCLIP (Magistri et al., CVPR 2026, arXiv 2603.19862), a correction without training.

    Towers end in matrices that project pooled features f into the joint space, ``W_i f_i`` and
    ``W_t f_t``. Training aligns them by ``Ψ = W_iᵀ W_t = U S Vᵀ`` alone. Its strongest directions
    and its weakest ones belong to one of the towers each; images are compared in the rest, U_k:
    by the cosine of ``W_i U_k U_kᵀ f_i``.

    As ``U_kᵀ = S_k⁻¹ V_kᵀ W_tᵀ W_i``, that is a (d, d) matrix times the frozen embedding
    (:func:`isotropic`), so a pass costs one small product more, whatever the tower is like.

    Not joint: it lacks the directions that images and texts are aligned in most, and texts stay as
    they are.

    Args:
        model: An open_clip model, both of whose towers end in a matrix.

    Raises:
        NoLinearProjectionError: One of them does not.
    """

    joint = False

    def __init__(self, model: nn.Module) -> None:
        image, text = image_projection(model), text_projection(model)
        matrix, kept, rank = isotropic(image, text)
        self.matrix = nn.Linear(len(matrix), len(matrix), bias=False)
        with torch.no_grad():
            self.matrix.weight.copy_(matrix)
        self.module: nn.Module | None = self.matrix.eval().requires_grad_(False)
        # The projections themselves are in the fingerprint with the model's other weights.
        self.name = f"isoclip, directions {kept.start} to {kept.stop} of {rank}"

    def embed(self, visual: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (n, d) embeddings as they are and in the directions that are kept."""
        frozen: Tensor = visual(pixels)
        return frozen, self.matrix(frozen)


def isotropic(image: Tensor, text: Tensor) -> tuple[Tensor, range, int]:
    """The matrix that leaves all but the evenly aligned directions out of an image embedding.

    Args:
        image: W_i, (d, p) projection of pooled image features; a bias may be its last column, of
            features that end in 1.
        text: W_t, (d, q) of texts, likewise.

    Returns:
        ``W_i U_k S_k⁻¹ V_kᵀ W_tᵀ``, (d, d) in float64; the directions that are kept, counted from
        0 in the order of S; how many there are, the rank of ``W_iᵀ W_t``.

    Raises:
        NoLinearProjectionError: Nothing would be left.
    """
    image, text = image.detach().double().cpu(), text.detach().double().cpu()
    u, s, vh = torch.linalg.svd(image.T @ text, full_matrices=False)
    # Weights are float32 at most: what is below its resolution is zero.
    rank = int((s > s[0] * max(len(u), vh.shape[1]) * torch.finfo(torch.float32).eps).sum())
    kept = range(round(FIRST * rank), rank - round(LAST * rank))
    if len(kept) < 2:
        raise NoLinearProjectionError(
            f"isoclip leaves nothing of projections whose product has rank {rank}; serve this"
            " backbone with --adapter none"
        )
    part = slice(kept.start, kept.stop)
    return (image @ u[:, part] / s[part]) @ (vh[part] @ text.T), kept, rank


def image_projection(model: Any) -> Tensor:
    """The (d, p) projection that an image tower ends in; a bias is its last column.

    Known are open_clip's ``VisionTransformer``, and timm towers with a linear head.

    Raises:
        NoLinearProjectionError: It ends in something else.
    """
    visual = model.visual
    if isinstance(matrix := getattr(visual, "proj", None), Tensor):
        return matrix.T
    if hasattr(visual, "trunk"):
        head = list(visual.head.children())
        last = head[-1] if head else visual.trunk.get_classifier()
        if isinstance(last, nn.Linear):
            return _with_bias(last)
    raise _refused("image", visual)


def text_projection(model: Any) -> Tensor:
    """The (d, q) projection that a text tower ends in; a bias is its last column.

    Known are open_clip's own text tower, built in or apart, and Hugging Face's with a linear one.

    Raises:
        NoLinearProjectionError: It ends in something else.
    """
    tower = getattr(model, "text", model)
    matrix = getattr(tower, "text_projection", None)
    matrix = getattr(tower, "proj", None) if matrix is None else matrix
    if isinstance(matrix, nn.Linear):
        return _with_bias(matrix)
    if isinstance(matrix, Tensor):
        return matrix.T
    raise _refused("text", tower)


def _with_bias(layer: nn.Linear) -> Tensor:
    """W of ``W f + b``, or (W, b), which is the same of features that end in 1."""
    if layer.bias is None:
        return layer.weight
    return torch.cat([layer.weight, layer.bias.unsqueeze(1)], dim=1)


def _refused(which: str, tower: object) -> NoLinearProjectionError:
    return NoLinearProjectionError(
        f"isoclip needs two towers that end in a matrix each, as those of ViT-B-16/openai; the"
        f" {which} tower of this backbone ({type(getattr(tower, 'trunk', tower)).__name__}) does"
        " not. Leave --adapter out, or train one with: handful train imo"
    )
