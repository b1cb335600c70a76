"""A CLIP of ViT-B/32's shape with random weights, as open_clip and as transformers read it.

Random weights take as long as trained ones, and need no download.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

import open_clip
import torch
from open_clip import tokenizer as open_clip_tokenizer
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from benchmarks.peers.servers.encoder import MODEL

_START, _END = "<|startoftext|>", "<|endoftext|>"
_MERGES = 49152 - 256 - 2


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the two are.

    Attributes:
        open_clip: A checkpoint of open_clip.
        transformers: A folder of transformers, with its processor and its tokenizer.
    """

    open_clip: Path
    transformers: Path


def random_clip(folder: Path) -> Weights:
    """Write both into a folder, or take what is there."""
    weights = Weights(folder / "open_clip.safetensors", folder / "transformers")
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    if not weights.open_clip.exists():
        part = folder / "part.safetensors"
        save_file(open_clip.create_model(MODEL).state_dict(), part)
        os.replace(part, weights.open_clip)
    if not (weights.transformers / "preprocessor_config.json").exists():
        # The default configuration is that of ViT-B/32.
        CLIPModel(CLIPConfig()).save_pretrained(weights.transformers)
        _write_tokenizer(weights.transformers)
        _write_processor(weights.transformers)
    return weights


def _write_tokenizer(folder: Path) -> None:
    """CLIP's byte pair encoding, from the file that open_clip ships."""
    packed = Path(open_clip_tokenizer.default_bpe())
    merges = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : _MERGES + 1]
    letters = list(open_clip_tokenizer.bytes_to_unicode().values())
    words = letters + [letter + "</w>" for letter in letters]
    words += ["".join(merge.split()) for merge in merges] + [_START, _END]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    special = {"bos_token": _START, "eos_token": _END, "unk_token": _END, "pad_token": _END}
    about = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    (folder / "special_tokens_map.json").write_text(json.dumps(special))


def _write_processor(folder: Path) -> None:
    about = {
        "image_processor_type": "CLIPImageProcessor",
        "processor_class": "CLIPProcessor",
        "do_resize": True,
        "size": {"shortest_edge": 224},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
        "do_convert_rgb": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(open_clip.OPENAI_DATASET_MEAN),
        "image_std": list(open_clip.OPENAI_DATASET_STD),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(about))
