"""The two projections into the space shared by images and texts: the learned part of `lite`."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.backbone_errors import WeightsUnavailable

EMBED_DIM = 512
"""Width of the joint space."""
PROJECTIONS_NAME = "projections.safetensors"
PROVENANCE_NAME = "provenance.json"


class KernelProjection(nn.Module):
    """Projects text features by their similarity to the names it was trained on.

    ``sum_k values[k] · exp(sharpness · (cos(x, centres[k]) − 1))``: an expansion in Gaussian
    kernels on the sphere, the closed form of kernel ridge regression from names to classifier
    rows. With a thousand names to learn from, a linear map of the 384 features blurs
    neighbours that an expansion in the names keeps apart.

    Args:
        width: Width of the text features.
        centres: Number of kernels.
        embed_dim: Width of the joint space.
    """

    sharpness: Tensor

    def __init__(self, width: int, centres: int, embed_dim: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(centres, width))
        self.values = nn.Parameter(torch.zeros(centres, embed_dim))
        self.register_buffer("sharpness", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Project (n, width) text features of any length to (n, embed_dim), not normalised."""
        cosine = normalize(features, dim=-1) @ self.centres.T
        projected: Tensor = torch.exp(self.sharpness * (cosine - 1)) @ self.values
        return projected


def projections_state() -> dict[str, Tensor]:
    """Return the shipped projections and logit scale, under their names in the open_clip model.

    Raises:
        WeightsUnavailable: The file is missing or not the one its provenance tells of.
    """
    folder = files(__package__)
    mend = "mend it with: pip install --force-reinstall handful (or: handful train lite)"
    try:
        content = folder.joinpath(PROJECTIONS_NAME).read_bytes()
        provenance = json.loads(folder.joinpath(PROVENANCE_NAME).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsUnavailable(
            f"the projections of `lite` are missing ({error}); {mend}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != provenance.get("sha256"):
        raise WeightsUnavailable(
            f"{folder.joinpath(PROJECTIONS_NAME)} is not the file that {PROVENANCE_NAME} tells "
            f"of: its SHA-256 is {found}; {mend}"
        )
    return safetensors.torch.load(content)
