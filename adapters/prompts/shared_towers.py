"""Both towers of one model, shared by any number of learned prompts."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from adapters.backbone_errors import PromptError
from adapters.backbones import DualEncoder
from adapters.backbones.device_framing import on_device
from adapters.backbones.framing import Framing
from adapters.corrections import Correction
from adapters.corrections.bottleneck import tower_fingerprint
from adapters.embeddings import ImageEmbeddings
from adapters.engines.agreement import likeness, probes, require
from adapters.engines.lean import lean
from adapters.prompts.checkpoint import TrainedPrompts
from adapters.prompts.model import PromptedModel
from adapters.prompts.towers import VisionTower, towers

logger = logging.getLogger("handful.runtime")

# Each costs seconds of every start and memory; tenants choose shapes.
_MOST_SHAPES = 8

RunPass = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From (n, H, W, 3) uint8 pixels and (n, depth, length, width) prompts to both embeddings."""


class PromptedImagePass(nn.Module):
    """One forward pass of the image tower in which each image has prompts of its own.

    As :class:`adapters.engines.image_pass.ImagePass`, whose second input prompts are here: images
    for different prompts stand in one batch.

    Args:
        tower: The image tower.
        correction: How the second embedding comes about.
        mean: (3,) of each channel, that pixels in 0..1 are normalised with.
        std: (3,) of each channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, tower: VisionTower, correction: Correction, mean: Tensor, std: Tensor
    ) -> None:
        super().__init__()
        self.tower = tower
        self.correction = correction
        self.own = correction.module
        self.register_buffer("mean", mean.view(3, 1, 1))
        self.register_buffer("std", std.view(3, 1, 1))

    def forward(self, pixels: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Embed images.

        Args:
            pixels: (n, H, W, 3) uint8.
            prompts: (n, depth, length, width) of each image.

        Returns:
            The frozen (n, d) and the corrected (n, d') embeddings, rows of unit length.
        """
        images = pixels.permute(0, 3, 1, 2).float() / 255
        images = (images - self.mean) / self.std
        visual = _WithPrompts(self.tower, prompts.unbind(dim=1))
        frozen, corrected = self.correction.embed(visual, images)
        return normalize(frozen.float(), dim=-1), normalize(corrected.float(), dim=-1)


class _WithPrompts(nn.Module):
    """An image tower with the prompts of a batch, as a correction runs it."""

    def __init__(self, tower: VisionTower, prompts: Sequence[Tensor]) -> None:
        super().__init__()
        self._run, self._prompts = tower.forward, prompts

    def forward(self, pixels: Tensor) -> Tensor:
        return self._run(pixels, self._prompts)


class SharedTowers:
    """Both towers of one model, in memory once for all learned prompts that are used with it.

    Computes in float32, whatever the recipe of the service: by PyTorch, or by OpenVINO with prompts
    as an input, of which there is a model for each shape of prompts.

    Attributes:
        name: Of the backbone.
        fingerprint: SHA-256 of its weights, by which prompts know the model they were trained for.
        device: Where it computes.
        framing: How pictures are resized and cropped.
        frame: What does so on the device.
        logit_scale: Factor of the cosine similarities.
        image_size: Pixels of the shorter side of what the image tower takes.
        width: d, of the frozen embedding and of texts.
        corrected_width: d', of the corrected embedding.
        correction: Where the second embedding comes from.
        passes: How many threads may embed at the same time and gain by it.
        batch: Images of a pass from which on more of them are no quicker each.

    Args:
        encoder: The model.
        correction: Of its image tower.
        device: Where it computes.
        passes: How many threads may embed at the same time.
        compiles: Whether the image tower is to be compiled, on a processor.

    Raises:
        PromptError: The model is of a kind whose towers take no prompts.
    """

    batch = 8

    def __init__(
        self,
        encoder: DualEncoder,
        correction: Correction,
        device: torch.device | str = "cpu",
        *,
        passes: int = 1,
        compiles: bool = False,
    ) -> None:
        vision, _ = towers(encoder.model)
        self.name = encoder.name
        self.fingerprint = tower_fingerprint(encoder.model)
        self.device = torch.device(device)
        self.correction = correction
        self.passes = passes
        self._compiles = compiles and self.device.type == "cpu"
        self._compiled: dict[torch.Size, RunPass] = {}
        self.framing = Framing(encoder.preprocess)
        self.frame = on_device(self.framing, self.device)
        self.tokenizer = encoder.tokenizer
        self._model: Any = encoder.model.eval().requires_grad_(False).to(self.device)
        self.logit_scale = float(self._model.get_parameter("logit_scale").exp())
        mean, std = self.framing.mean, self.framing.std
        made = PromptedImagePass(vision, correction, mean, std)
        self._pass = made.eval().to(self.device)
        # One image also warms up: the first pass through a model is the slowest.
        blank = self.frame(Image.new("RGB", (64, 64)))
        self.image_size = min(blank.shape[:2])
        probe = self.embed([blank], [torch.zeros(0, 1, vision.width)])
        self.width, self.corrected_width = probe.frozen.shape[1], probe.corrected.shape[1]

    def prompted(self, trained: TrainedPrompts, called: str) -> PromptedModel:
        """The model with learned prompts in both towers, of which only these are its own.

        Args:
            trained: The prompts.
            called: What messages call them.

        Raises:
            PromptError: They were trained with another backbone, or do not fit the towers.
        """
        if trained.fingerprint != self.fingerprint:
            raise PromptError(other_backbone(called, trained, self.name))
        model = PromptedModel(self._model, self.tokenizer, trained).eval().to(self.device)
        self._prepare(trained.vision)
        return model

    @torch.inference_mode()
    def embed(self, pictures: Sequence[Tensor], prompts: Sequence[Tensor]) -> ImageEmbeddings:
        """Embed images, each with prompts of its own; those of one shape share a pass.

        Each row depends on its own image and prompts alone, to float32 rounding. Thread-safe.

        Args:
            pictures: n, one or more, of (H, W, 3) uint8.
            prompts: n, of (depth, length, width).
        """
        places: defaultdict[torch.Size, list[int]] = defaultdict(list)
        for place, one in enumerate(prompts):
            places[one.shape].append(place)
        parts, order = [], []
        for some in places.values():
            pixels = torch.stack([pictures[i] for i in some]).to(self.device)
            given = torch.stack([prompts[i] for i in some]).to(self.device)
            run = self._compiled.get(given.shape[1:], self._pass)
            parts.append(ImageEmbeddings(*(rows.cpu() for rows in run(pixels, given))))
            order += some
        return ImageEmbeddings.concatenate(parts)[torch.tensor(order).argsort()]

    def release(self, prompts: Tensor) -> None:
        """Let go of what was compiled for prompts of that shape, which nobody has any more."""
        self._compiled.pop(prompts.shape, None)

    @torch.inference_mode()
    def _prepare(self, prompts: Tensor) -> None:
        """Compile the image tower for prompts of a shape, unless it is; PyTorch stays if not."""
        if not self._compiles or prompts.shape in self._compiled:
            return
        if len(self._compiled) >= _MOST_SHAPES:
            logger.warning("prompts of yet another shape are embedded by PyTorch, more slowly")
            return
        from adapters.engines import openvino

        height, width = self.frame(Image.new("RGB", (64, 64))).shape[:2]
        pixels = probes(height, width)
        given = prompts.expand(len(pixels), *prompts.shape)
        try:
            expected = self._pass(pixels, given)
            with lean(self._pass):
                model = openvino.convert_prompted(self._pass, pixels[:2], given[:2].contiguous())
            engine = openvino.OpenVINO(model, threads=self.passes)
            for part in (slice(None), slice(1)):
                for found, wanted in zip(engine(pixels[part], given[part]), expected, strict=True):
                    require(float(likeness(found, wanted[part])))
        # Whatever an engine does with a model that it does not know, PyTorch can still run it.
        except Exception as error:
            logger.warning("images for prompts are embedded by PyTorch, more slowly: %s", error)
            self._compiled[prompts.shape] = self._pass
            return
        self._compiled[prompts.shape] = engine


def other_backbone(called: str, trained: TrainedPrompts, name: str) -> str:
    """The message that prompts were trained with another backbone than the one of that name."""
    return (
        f"{called} was trained with {trained.backbone}, whose weights are not those of "
        f"{name}; name that backbone, or train prompts for this one with: "
        f"handful train comma --backbone {name}"
    )
