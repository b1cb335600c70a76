"""The projection head of DINO."""

from __future__ import annotations

from torch import Tensor, nn, randn
from torch.nn.functional import linear, normalize

_HIDDEN, _BOTTLENECK = 2048, 256


class DinoHead(nn.Module):
    """Three layers to a unit vector, then its cosines with K prototypes (Caron et al., ICCV 2021).

    Prototypes are compared by their direction: a layer with weight normalisation whose norms are
    fixed to 1.

    Args:
        width: Of the embedding.
        outputs: K.
    """

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, _BOTTLENECK),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(normalize(randn(outputs, _BOTTLENECK), dim=1))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Turn (n, width) embeddings into (n, K) cosines."""
        directions = normalize(self.layers(embeddings).float(), dim=-1)
        return linear(directions, normalize(self.prototypes, dim=1))
