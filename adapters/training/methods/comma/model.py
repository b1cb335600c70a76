"""The learned prompts: free ones for texts, and images' ones that are generated from both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adapters.prompts.config import CommaConfig

_MLP_RATIO = 4
_SPREAD = 0.02


class Generator(nn.Module):
    """``V_{i+1} = MLP(LN(softmax(V_i Φ(P_i)ᵀ / √d) Φ(P_i)))`` (Hu et al., AAAI 2024).

    Args:
        text_width: Of the text tower.
        vision_width: d, of the image tower.
    """

    def __init__(self, text_width: int, vision_width: int) -> None:
        super().__init__()
        hidden = max(1, vision_width // _MLP_RATIO)
        self.project = nn.Linear(text_width, vision_width)
        self.norm = nn.LayerNorm(vision_width)
        self.mlp = nn.Sequential(
            nn.Linear(vision_width, hidden), nn.ReLU(), nn.Linear(hidden, vision_width)
        )

    def forward(self, vision: Tensor, text: Tensor) -> Tensor:
        """Turn the prompts of a layer into the image tower's prompts of the next one.

        Args:
            vision: V_i, (n, vision_width).
            text: P_i, (n, text_width).

        Returns:
            V_{i+1}, (n, vision_width).
        """
        projected = self.project(text)
        attention = torch.softmax(vision @ projected.T / vision.shape[-1] ** 0.5, dim=-1)
        generated: Tensor = self.mlp(self.norm(attention @ projected))
        return generated


class CommaPrompts(nn.Module):
    """The prompts of all layers, as what is learned.

    The published code stores generated prompts through ``.data``, which keeps the loss of the
    images from the generators, so that these stay random, and from all text prompts but the
    first ones, which V_0 is a learned linear map of. So it is here where generators are not
    learned; where they are, all of this is an ordinary part of the graph.

    Args:
        config: Length and depth.
        words: (n, text_width) token embeddings that the first text prompts begin with.
        vision_width: Of the image tower.
        learn_generators: See above.

    Attributes:
        text: P, (depth, n, text_width).
    """

    def __init__(
        self,
        config: CommaConfig,
        words: Tensor,
        vision_width: int,
        *,
        learn_generators: bool = True,
    ) -> None:
        super().__init__()
        deeper = _SPREAD * torch.randn(config.depth - 1, *words.shape)
        self.text = nn.Parameter(torch.cat([words[None].detach().float().cpu(), deeper]))
        text_width = words.shape[1]
        # V_0 has no layer before it: the authors' code projects P_0.
        self.first = nn.Linear(text_width, vision_width)
        self.generators = nn.ModuleList(
            Generator(text_width, vision_width) for _ in range(config.depth - 1)
        ).requires_grad_(learn_generators)
        self.learn_generators = learn_generators

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return P, (depth, n, text_width), and V, (depth, n, vision_width)."""
        vision: list[Tensor] = [self.first(self.text[0])]
        for text, generate in zip(self.text, self.generators, strict=False):
            generated = generate(vision[-1], text)
            vision.append(generated if self.learn_generators else generated.detach())
        return self.text, torch.stack(vision)
