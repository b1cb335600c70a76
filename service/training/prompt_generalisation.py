"""Trained prompts measured from base to novel classes, beside the hand-written one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from adapters.backbones import Backbone, DualEncoder
from adapters.corrections import Uncorrected
from adapters.prompts import PromptedBackbone
from adapters.training.method import Trained
from adapters.training.methods.comma import ExportedPrompts
from service.datasets.dataset import Dataset
from service.evaluation.base_to_novel import Generalisation, generalisation
from service.settings import Settings


class BaseToNovel:
    """Generalisation of prompts to classes that were not trained on (a `Measurement`).

    Args:
        base: The classes that are trained on, with test images.
        novel: The others.
        out: Folder of the run.
        settings: Where to compute, and for reading images.
        console: For the progress.

    Attributes:
        trained: With the trained prompts, once measured.
        written: With the hand-written one, once measured.
    """

    def __init__(
        self, base: Dataset, novel: Dataset, out: Path, settings: Settings, console: Console
    ) -> None:
        self._base, self._novel, self._out = base, novel, out
        self._settings, self._console = settings, console
        self._encoder: DualEncoder | None = None
        self.trained: Generalisation | None = None
        self.written: Generalisation | None = None

    def prepare(self, encoder: DualEncoder) -> None:
        """Take the model, which stays as it is: prompts are beside it."""
        self._encoder = encoder

    def before(self) -> None:
        """Nothing: the model does not change."""

    def after(self, trained: Trained) -> dict[str, Any]:
        """Measure both kinds of prompts on both halves of the classes."""
        if self._encoder is None or not isinstance(trained, ExportedPrompts):
            raise RuntimeError("what is measured here are prompts of a model that was prepared")
        device = self._settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
        prompts = trained.prompts
        path = self._out / trained.file_name
        plain = replace(self._encoder, templates=(prompts.config.template,))
        self.trained = self._measured(
            PromptedBackbone(self._encoder, Uncorrected(), prompts, path, device)
        )
        self.written = self._measured(Backbone(plain, Uncorrected(), device))
        return {
            "base_to_novel": {
                "classes": {"base": list(self._base.labels), "novel": list(self._novel.labels)},
                "trained": self.trained.as_dict(),
                "hand_written": self.written.as_dict(),
            }
        }

    def _measured(self, backbone: Backbone) -> Generalisation:
        return generalisation(backbone, self._base, self._novel, self._settings, self._console)
