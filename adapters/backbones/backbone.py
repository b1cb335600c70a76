"""A frozen CLIP encoder of images and texts, as the rest of Handful sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from adapters.backbones.antialias_framing import resized_by
from adapters.backbones.device_framing import on_device
from adapters.backbones.dual_encoder import DualEncoder
from adapters.backbones.framing import Framing
from adapters.backbones.support_views import support_views
from adapters.corrections import Correction
from adapters.embeddings import ImageEmbeddings
from adapters.encoder import Corrected
from adapters.engines import Eager, ImagePass, MakeEngine
from adapters.fingerprint import fingerprint
from adapters.recipe import ChooseRecipe, Recipe

_TEXT_BATCH = 64


class Backbone:
    """A frozen CLIP encoder of images and texts.

    Attributes:
        recipe: How images are embedded.
        name: As the user chose it, for instance ``lite`` or ``ViT-B-16/openai``.
        model_fingerprint: Hex digest of weights, preprocessing and correction.
        fingerprint: Hex digest of everything that decides an embedding: weights,
            preprocessing, correction, recipe. Embeddings are comparable only within one
            fingerprint.
        logit_scale: Factor of the cosine similarities in the zero-shot logits.
        width: d, of the frozen embedding and of the text embedding.
        corrected_width: d', of the corrected embedding.
        templates: Prompt templates that suit this encoder.
        image_size: Pixels of the shorter side of what the image tower takes.
        framing: How pictures are resized and cropped, on a processor.
        engine: Name of what runs the image tower.
        passes: How many threads may call :meth:`encode_images` at the same time and gain by it.
        available: That it can encode, which a model in this process always can.
        shared: That other processes encode by it too, which they cannot.
        batch: Images of a call from which on more of them are no quicker each.

    Args:
        encoder: The model, which is frozen and moved to the device, and what belongs to it.
        correction: Of the image tower's intra-modal overlap.
        device: Where it computes.
        make_engine: Makes what runs the image tower; PyTorch itself by default, which follows
            when parameters of the model are trained.
        recipe: How images are embedded, or what chooses that by the model's fingerprint; a part of
            the fingerprint.

    Raises:
        BackboneError: The preprocessing is of an unknown kind.
    """

    available = True
    shared = False

    def __init__(
        self,
        encoder: DualEncoder,
        correction: Correction,
        device: torch.device | str = "cpu",
        make_engine: MakeEngine = Eager.made,
        recipe: Recipe | ChooseRecipe = Recipe(),  # noqa: B008 - a value that never changes
    ) -> None:
        self.name = encoder.name
        self.templates = encoder.templates
        self.correction: Corrected = correction
        self.device = torch.device(device)
        framing = self.framing = Framing(encoder.preprocess)
        self._tokenizer = encoder.tokenizer
        self._model: Any = encoder.model.eval().requires_grad_(False).to(self.device)
        self.logit_scale = float(self._model.get_parameter("logit_scale").exp())
        model = fingerprint(
            self._model, {"preprocess": str(encoder.preprocess), "correction": correction.name}
        )
        self.model_fingerprint = model
        self.recipe = recipe if isinstance(recipe, Recipe) else recipe(model)
        self.fingerprint = self.recipe.fingerprint(model)
        visual = self._model.get_submodule("visual").to(memory_format=torch.channels_last)
        self._frame: Callable[[Image.Image], Tensor] = on_device(framing, self.device)
        if self.device.type == "cpu":
            self._frame = resized_by(self.recipe.resizing, framing)
        picture = self.preprocess(Image.new("RGB", (64, 64)))
        height, width = picture.shape[:2]
        self.image_size = min(height, width)
        self._engine = make_engine(
            ImagePass(visual, correction, framing.mean, framing.std).eval().to(self.device),
            self.device,
            (height, width),
            model,
            self.recipe.precision,
        )
        self.engine = self._engine.name
        self.passes, self.batch = self._engine.passes, self._engine.batch
        # One image also warms up: the first pass through a model is the slowest.
        probe = self.encode_images(picture.unsqueeze(0))
        self.width = probe.frozen.shape[1]
        self.corrected_width = probe.corrected.shape[1]

    def preprocess(self, image: Image.Image) -> Tensor:
        """Resize and crop an RGB image to (H, W, 3) uint8, ready for :meth:`encode_images`.

        It is on the CPU or, where resizing was done there, on the GPU. Thread-safe.
        """
        return self._frame(image)

    def preprocess_views(self, image: Image.Image, n: int, seed: str) -> list[Tensor]:
        """:meth:`preprocess` of n support views of an image, of which the first is the image.

        Args:
            image: RGB.
            n: One or more.
            seed: What crops are drawn by: the hex digest of the file's SHA-256.
        """
        views = support_views(image, n, seed, self.image_size)
        return [self.preprocess(view) for view in views]

    def encode_images(self, pixels: Tensor) -> ImageEmbeddings:
        """Embed (n, H, W, 3) uint8 images; one pass gives both embeddings, on the CPU.

        Each row depends on its own image alone, to float32 rounding.
        """
        return ImageEmbeddings(*self._engine(pixels))

    def encode_pictures(
        self, pictures: Sequence[Tensor], *, background: bool = False
    ) -> ImageEmbeddings:
        """Embed n pictures of (H, W, 3) uint8; nobody else waits for this process's model."""
        del background
        return self.encode_images(torch.stack(list(pictures)))

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit vectors, on the CPU."""
        starts = range(0, len(texts), _TEXT_BATCH)
        blocks = [self._embed_texts(texts[i : i + _TEXT_BATCH]) for i in starts]
        return torch.cat(blocks) if blocks else torch.empty(0, self.width)

    def _embed_texts(self, texts: Sequence[str]) -> Tensor:
        tokens = self._tokenizer(texts).to(self.device)
        return normalize(self._model.encode_text(tokens).float(), dim=-1).cpu()

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        """How long n texts are to the text tower, about: of one length they are quickest together.

        In characters here.
        """
        return [len(text) for text in texts]

    def encode_classes(self, labels: Sequence[str], templates: Sequence[str] = ()) -> Tensor:
        """Embed N class names as (N, d) unit vectors.

        Each name is written into every template (``{}`` marks the place; the backbone's own
        templates where none are given) and the unit embeddings are averaged (prompt
        ensembling, Radford et al., ICML 2021). Costs N · len(templates) text passes.
        """
        templates = self.templates_for(templates)
        texts = [prompt(label, template) for label in labels for template in templates]
        return ensemble(self.encode_texts(texts), len(templates))

    def close(self) -> None:
        """Nothing: its memory goes with the last who refers to it."""

    def templates_for(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The templates that class names are written into where these are asked for."""
        return tuple(asked) or self.templates


def prompt(label: str, template: str) -> str:
    """Write a class name into a template, at the place of ``{}``."""
    return template.replace("{}", readable(label))


def ensemble(texts: Tensor, templates: int) -> Tensor:
    """Average the (N · templates, d) embeddings of each class's prompts to (N, d) unit vectors."""
    return normalize(texts.reshape(-1, templates, texts.shape[1]).mean(dim=1), dim=-1)


def readable(label: str) -> str:
    """Write a label as words: ``HerbaceousVegetation`` and ``sea_lake`` are folder names.

    Underscores and hyphens become spaces, and a capital letter inside a word starts a new one
    (not in ``iPhone`` or ``McDonald``).
    """
    spaced = re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])", " ", label)
    return re.sub(r"[\s_-]+", " ", spaced).strip() or label
