"""What fine-tuning on pairs minimises: the contrastive loss with mixes beside it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_gather
from torch.nn.functional import normalize

from adapters.training.methods.mixup.config import MixupConfig
from adapters.training.methods.mixup.losses import MIXES, clip_loss
from adapters.training.objective import Objective

_LARGEST_SCALE = 100.0


class MixupObjective(Objective):
    """``CLIP loss + Σ weight · mix`` (Oh et al., NeurIPS 2023) of a batch of pairs.

    Under several processes the batch is that of all of them: embeddings are gathered with their
    gradients and λ is the first process's. Accumulated batches are not contrasted with each
    other. As in the authors' code the model stays in evaluation mode.

    Args:
        model: open_clip model; the parameters to learn require gradients.
        settings: See `MixupConfig`.
        adapter: Attached to the image tower, if that is what learns.
        cut_padding: Whether columns of tokens that are zero in all of a batch can be left out,
            because the text tower masks padding.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: MixupConfig,
        *,
        adapter: nn.Module | None = None,
        cut_padding: bool = False,
    ) -> None:
        super().__init__()
        self.model: Any = model
        self.adapter = adapter  # A part of this module, so that it is moved and learned.
        self.settings = settings
        self.cut_padding = cut_padding
        self.share_of_mixes = 1.0
        # A model may come with a larger one; then that is its bound.
        self._largest = max(
            math.log(_LARGEST_SCALE), float(model.get_parameter("logit_scale").detach())
        )

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the loss of (n, 3, H, W) pixels and their (n, L) tokens."""
        pixels, tokens = batch
        if self.cut_padding:
            tokens = tokens[:, : int((tokens != 0).any(dim=0).sum())]
        images = self.model.encode_image(pixels)
        texts = self.model.encode_text(tokens)
        # Angles and their logits need more digits than half precision has.
        with torch.autocast(images.device.type, enabled=False):
            images = _of_all_processes(normalize(images.float(), dim=-1))
            texts = _of_all_processes(normalize(texts.float(), dim=-1))
            scale = self._scale()
            loss = clip_loss(images, texts, scale)
            for name, weight in self.settings.weights.items():
                own = 1 / self.settings.m2_temperature if name == "m2" else scale
                mix = MIXES[name](images, texts, self._lambda(name, images), own)
                loss = loss + self.share_of_mixes * weight * mix
        return loss

    def begin_epoch(self, epoch: int) -> None:
        """Let mixes count less from epoch to epoch, if they are to fade."""
        self.share_of_mixes = 1 / (epoch + 1) if self.settings.fading else 1.0

    def after_step(self, done: float) -> None:
        """Keep the logit scale within its bound, as CLIP does."""
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=self._largest)

    def train(self, mode: bool = True) -> MixupObjective:
        """Stay in evaluation mode: pretrained statistics are better than those of a batch."""
        super().train(mode)
        self.model.eval()
        return self

    def learned_state(self) -> dict[str, Tensor]:
        """State of what requires a gradient."""
        learned = {name for name, value in self.named_parameters() if value.requires_grad}
        return {name: value for name, value in self.state_dict().items() if name in learned}

    def _scale(self) -> Tensor | float:
        if self.settings.temperature is not None:
            return 1 / self.settings.temperature
        scale: Tensor = self.model.logit_scale.float().exp()
        return scale

    def _lambda(self, name: str, like: Tensor) -> Tensor:
        of = self.settings
        shape = torch.tensor(of.m2_shape if name == "m2" else of.shape)
        share = torch.distributions.Beta(shape, shape).sample().to(like)
        if _several_processes():
            distributed.broadcast(share, 0)
        return share


def _several_processes() -> bool:
    return distributed.is_initialized() and distributed.get_world_size() > 1


def _of_all_processes(rows: Tensor) -> Tensor:
    if not _several_processes():
        return rows
    return torch.cat(all_gather(rows))  # type: ignore[no-untyped-call]
