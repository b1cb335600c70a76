"""Settings of the encoder: backbone, device, precision."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_dir
from pydantic import BaseModel, Field, field_validator


class EncodingSettings(BaseModel):
    """Settings of the encoder: backbone, device, precision."""

    backbone: str = Field(
        "lite",
        description="lite, MODEL/TAG, MODEL/PATH, hf-hub:ORG/REPOSITORY or local-dir:FOLDER.",
    )
    prompts: Path | None = Field(
        None, description="Trained prompts of both towers: handful train comma made them."
    )
    adapter: str | None = Field(
        None,
        description="Trained adapter against overlap, which handful train imo made, isoclip for the"
        " correction that needs no training, or none; lite has its own by default.",
    )
    device: str | None = Field(None, description="cpu or cuda; the GPU if there is one.")
    runtime: Literal["auto", "eager"] = Field(
        "auto", description="auto compiles the image tower for this processor; eager does not."
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="Number format of the image tower: the quickest that keeps few-shot accuracy"
        " by default. A database keeps the one that it was made with.",
    )
    cache_dir: Path = Field(
        Path(user_cache_dir("handful")),
        description="Folder of compiled image towers, for the next start, and of thumbnails.",
    )
    max_batch: int | None = Field(
        None,
        gt=0,
        description="Most images in one pass of the encoder; what suits its runtime by default.",
    )
    decode_threads: int = Field(
        2, gt=0, description="Images that a process decodes at the same time."
    )

    @field_validator("precision")
    @classmethod
    def _can_be_made(cls, precision: str) -> str:
        """Before anything is done."""
        if precision == "int8" and find_spec("nncf") is None:
            raise ValueError("int8 needs NNCF; install it with: pip install 'handful[int8]'")
        return precision
