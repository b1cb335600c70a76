"""Tokenizers of ``transformers`` folders: CLIP's own, recognised, or SigLIP's, taken along."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from open_clip.tokenizer import SimpleTokenizer
from tokenizers import Tokenizer

from adapters.backbone_errors import BackboneError, WeightsUnavailable
from adapters.backbones.checkpoints.json_files import read_json

TOKENIZER, SETTINGS = "tokenizer.json", "tokenizer_config.json"
_MOST_BYTES = 64 * 2**20
"""Of a tokenizer: that of SigLIP2 has 34 MB."""
_SPECIAL = {"<|startoftext|>": "<start_of_text>", "<|endoftext|>": "<end_of_text>"}


def check_clip_tokenizer(folder: Path) -> bool:
    """Where a folder has a tokenizer, it is CLIP's, which open_clip has by itself.

    Its merges are told by its vocabulary: each of them makes the next number.

    Returns:
        Whether there is one.

    Raises:
        BackboneError: It is another one.
    """
    if (folder / TOKENIZER).is_file():
        found = _read(folder / TOKENIZER)[1].get_vocab(with_added_tokens=True)
    elif (folder / "vocab.json").is_file():
        found = read_json(folder / "vocab.json")
    else:
        return False
    if {_SPECIAL.get(word, word): number for word, number in found.items()} != _clip_vocabulary():
        raise BackboneError(
            f"the tokenizer in {folder} is not CLIP's (of {len(found)} words), which is the only "
            "one that is known for a CLIPModel"
        )
    return True


def siglip_tokenizer(folder: Path, vocabulary: int, context_length: int) -> dict[str, str]:
    """Files of SigLIP's tokenizer, as open_clip reads them from a folder of its own.

    Args:
        folder: Of the model.
        vocabulary: How many embeddings of words the text tower has.
        context_length: How many it takes.

    Raises:
        WeightsUnavailable: There is no ``tokenizer.json``.
        BackboneError: It is another model's.
    """
    path = folder / TOKENIZER
    if not path.is_file():
        raise WeightsUnavailable(
            f"there is no file {path}; where transformers and sentencepiece are installed, make it "
            f"once: AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r})"
        )
    content, tokenizer = _read(path)
    words = tokenizer.get_vocab(with_added_tokens=True)
    settings = read_json(folder / SETTINGS) if (folder / SETTINGS).is_file() else {}
    padding, end = (_word(settings, each) for each in ("pad_token", "eos_token"))
    if padding is None or padding not in words:
        raise BackboneError(f"{folder / SETTINGS} names no pad_token, by which texts are filled up")
    if max(words.values()) >= vocabulary:
        raise BackboneError(
            f"the tokenizer in {folder} has words up to {max(words.values())}, and the text tower "
            f"only {vocabulary}: it is another model's"
        )
    if end is None or end not in words or tokenizer.encode("a photo").ids[-1] != words[end]:
        raise BackboneError(f"the tokenizer in {folder} does not end texts as SigLIP's does")
    written = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_length,
        "padding_side": "right",
        "pad_token": padding,
        "eos_token": end,
    }
    unknown = _word(settings, "unk_token")
    if unknown in words:
        written["unk_token"] = unknown
    return {TOKENIZER: content, SETTINGS: json.dumps(written, indent=2) + "\n"}


def _read(path: Path) -> tuple[str, Tokenizer]:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise BackboneError(f"{path} is larger than any tokenizer")
    try:
        text = content.decode("utf-8")
        return text, Tokenizer.from_str(text)
    # The library raises plain exceptions for whatever it does not understand.
    except Exception as error:
        raise BackboneError(f"{path} is no tokenizer: {error}") from error


def _word(settings: dict[str, Any], name: str) -> str | None:
    value = settings.get(name)
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


@cache
def _clip_vocabulary() -> dict[str, int]:
    return dict(SimpleTokenizer().encoder)
