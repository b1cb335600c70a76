"""The image tower that all peers serve: files in, embeddings out, in eager PyTorch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO

import open_clip
import torch
from PIL import Image
from torch.nn.functional import normalize

MODEL = "ViT-B-32"
BATCH = 8


class Encoder:
    """open_clip with the weights of the file ``PEER_WEIGHTS``, frozen embeddings alone."""

    def __init__(self) -> None:
        self._model, _, self._preprocess = open_clip.create_model_and_transforms(
            MODEL, pretrained=os.environ["PEER_WEIGHTS"]
        )
        self._model.eval().requires_grad_(False)

    @torch.inference_mode()
    def embed(self, files: Sequence[bytes]) -> list[list[float]]:
        """Unit embeddings of image files, one a file, in one pass."""
        images = [self._preprocess(Image.open(BytesIO(file)).convert("RGB")) for file in files]
        rows: list[list[float]] = normalize(
            self._model.encode_image(torch.stack(images)), dim=-1
        ).tolist()
        return rows
