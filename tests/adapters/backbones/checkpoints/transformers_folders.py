"""Folders of ``transformers`` with random weights and all that its ``save_pretrained`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

CLIP_TEXT = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2} | {
    "num_attention_heads": 2
}
CLIP_VISION = {"hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2} | {
    "num_attention_heads": 4, "image_size": 32, "patch_size": 8
}  # fmt: skip
SIGLIP_TIMM = "vit_tinytest_patch8_siglip_32"
WORDS = ["</s>", "<unk>", "a", "photo", "of", "cat", "hello", "world"]


def write_clip(
    folder: Path, act: str = "quick_gelu", shards: str = "1GB", **text: Any
) -> CLIPModel:
    """A ``CLIPModel``, its preprocessing, and no files of a tokenizer."""
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=CLIP_TEXT | {"hidden_act": act} | text,
        vision_config=CLIP_VISION | {"hidden_act": act},
        projection_dim=48,
    )
    model = CLIPModel(config).eval()
    _make_activations_matter(model)
    model.save_pretrained(folder, max_shard_size=shards)
    processor = CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    processor.save_pretrained(folder)
    return model


def write_siglip(folder: Path) -> SiglipModel:
    """A ``SiglipModel``, its preprocessing and a tokenizer of a few words."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2} | {
        "num_attention_heads": 2
    }
    config = SiglipConfig(
        text_config=sizes | {"vocab_size": len(WORDS), "bos_token_id": 1, "eos_token_id": 0},
        vision_config=sizes | {"image_size": 32, "patch_size": 8},
    )
    model = SiglipModel(config).eval()
    for each in model.parameters():
        if each.ndim > 1 and each.std() < 1e-3:
            torch.nn.init.normal_(each, std=0.05)
    _make_activations_matter(model)
    model.save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 0)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    return model


def _make_activations_matter(model: torch.nn.Module) -> None:
    """As in a trained model: with the small weights of a new one, nearly any will do."""
    for name, each in model.named_parameters():
        if name.endswith(("fc1.weight", "fc2.weight")):
            torch.nn.init.normal_(each, std=0.12 if "fc1" in name else 0.5)


def embedded(found: Any) -> torch.Tensor:
    """The embeddings in what ``get_image_features`` gives back, of any version."""
    return found if isinstance(found, torch.Tensor) else found.pooler_output
