"""Weights in open_clip's names with all that belongs to them: configuration, pixels, tokenizer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from adapters.backbones.checkpoints.building import built, fitted, tokenizer_of
from adapters.backbones.dual_encoder import DualEncoder
from adapters.backbones.folder_files import CONFIG_NAME, WEIGHTS_NAME
from adapters.whole_files import written_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A checkpoint that was recognised.

    Attributes:
        found: What it was recognised as, in a few words.
        state: open_clip's state dict, in the precision that the file has.
        model_cfg: open_clip's configuration of the model.
        preprocess_cfg: open_clip's of its pixels: ``mean``, ``std``, ``interpolation``,
            ``resize_mode``.
        tokenizer: Files of its tokenizer by their names, if they came with it and are not
            open_clip's.
        described: What open_clip gets another tokenizer by: a model or ``local-dir:FOLDER``.
        remarks: What whoever uses it should know.
    """

    found: str
    state: Mapping[str, Tensor]
    model_cfg: Mapping[str, Any]
    preprocess_cfg: Mapping[str, Any]
    tokenizer: Mapping[str, str] = field(default_factory=dict)
    described: str = ""
    remarks: tuple[str, ...] = ()

    def encoder(self, name: str) -> DualEncoder:
        """Build the model.

        Args:
            name: As the user chose it.

        Raises:
            BackboneError: The weights are not those of the configuration.
        """
        if self.described.startswith("local-dir:"):
            return built(self.described, name, self.state)
        with tempfile.TemporaryDirectory() as folder:
            self._describe(Path(folder))
            return built(f"local-dir:{folder}", name, self.state)

    def write(self, folder: Path) -> None:
        """Write what ``local-dir:FOLDER`` loads into a folder that is there.

        Raises:
            BackboneError: The weights are not those of the configuration.
            OSError: It cannot be written.
        """
        self._describe(folder)
        # Each by itself: some are parts of one storage, which the format does not write.
        state = {
            name: each.clone() for name, each in fitted(f"local-dir:{folder}", self.state).items()
        }
        with written_whole(folder / WEIGHTS_NAME) as part:
            save_file(state, str(part))

    def _describe(self, folder: Path) -> None:
        config = {"model_cfg": dict(self.model_cfg), "preprocess_cfg": dict(self.preprocess_cfg)}
        (folder / CONFIG_NAME).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
        for name, content in self.tokenizer.items():
            (folder / name).write_text(content, "utf-8")
        if self.model_cfg["text_cfg"].get("hf_tokenizer_name") and not self.tokenizer:
            tokenizer_of(self.described).save_pretrained(str(folder))
