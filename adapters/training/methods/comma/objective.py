"""What prompts are trained for: the right class, near what the model knew before."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from adapters.backbones.dual_encoder import Tokenizer
from adapters.prompts.config import CommaConfig
from adapters.prompts.prompt_position import prompt_position
from adapters.prompts.towers import check_depth, towers
from adapters.training.methods.comma.config import OURS, CommaTerms
from adapters.training.methods.comma.model import CommaPrompts
from adapters.training.objective import Objective


class CommaObjective(Objective):
    """Cross-entropy of the classes + w · discrepancy of the texts (Hu et al., AAAI 2024).

    A step costs a pass through the image tower for its images, and one through the text tower
    for all N classes.

    Args:
        model: open_clip model on its device; frozen from here on.
        tokenizer: Of the model.
        names: The N class names, as words.
        config: See `CommaConfig`.
        terms: See `CommaTerms`.

    Attributes:
        prompts: What is learned.

    Raises:
        PromptError: The model has other towers, or fewer layers than are to be prompted.
    """

    frozen = ("vision", "text")

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Tokenizer,
        names: Sequence[str],
        config: CommaConfig,
        terms: CommaTerms = OURS,
    ) -> None:
        super().__init__()
        self.vision, self.text = towers(model.eval().requires_grad_(False))
        self.config = config
        self.padded = terms.anchor is not None
        self.scale = float(model.get_parameter("logit_scale").exp())
        check_depth(config, self.vision, self.text)
        place = prompt_position(tokenizer, config)
        self.start = place.start
        device = self.text.token_embedding.weight.device
        words = self.text.token_embedding(place.tokens.to(device))
        self.prompts = CommaPrompts(
            config,
            words,
            self.vision.width,
            learn_generators=terms.generators == "learned",
        ).to(device)
        tokens = tokenizer([config.text(name) for name in names]).to(device)
        place.check(tokens, config.template)
        with torch.no_grad():
            anchor = tokens
            if terms.anchor is not None:
                anchor = tokenizer([terms.anchor.replace("{}", name) for name in names]).to(device)
            _, written = self.text(anchor, last=config.last_layers, padded=self.padded)
        positions = torch.arange(written.shape[2], device=device)
        real = self.padded | (positions <= self.text.ends(tokens)[:, None])
        self.tokens: Tensor
        self.written: Tensor
        self.real: Tensor
        # Made from the frozen model, so not part of what is kept.
        self.register_buffer("tokens", tokens, persistent=False)
        self.register_buffer("written", written, persistent=False)
        self.register_buffer("real", real, persistent=False)

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the loss of (n, 3, H, W) pixels and their (n,) classes."""
        pixels, classes = batch
        text_prompts, vision_prompts = self.prompts()
        texts, last = self.text(
            self.tokens,
            text_prompts.unbind(),
            self.start,
            self.config.last_layers,
            padded=self.padded,
        )
        images = self.vision(pixels, vision_prompts.unbind())
        logits = self.scale * normalize(images.float(), dim=-1) @ normalize(texts.float(), dim=-1).T
        loss: Tensor = cross_entropy(logits, classes)
        return loss + self.config.weight * discrepancy(last, self.written, self.real)

    @torch.no_grad()
    def learned_prompts(self) -> tuple[Tensor, Tensor]:
        """P, (depth, n, text width), and V, (depth, n, vision width), float32 on the CPU."""
        text, vision = (prompts.detach().float().cpu() for prompts in self.prompts())
        return text.clone(), vision.clone()


def discrepancy(learned: Tensor, written: Tensor, real: Tensor) -> Tensor:
    """1 − cosine between tokens of learned and hand-written texts, averaged.

    The authors' code averages over the padding as well, which is most of its tokens; so do
    `CommaTerms` with an anchor.

    Args:
        learned: (S, N, L, width) outputs of the last S layers.
        written: The same of the frozen model.
        real: (N, L), which tokens count: those that are no padding, or all.
    """
    cosines = cosine_similarity(learned.float(), written.float(), dim=-1)
    return 1 - cosines[:, real].mean()
