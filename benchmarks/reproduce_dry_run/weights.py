"""Random weights of a CLIP as OpenAI's archives hold them: TorchScript, in half precision."""

from __future__ import annotations

from pathlib import Path

import open_clip
import torch
from torch import Tensor, nn

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}


def write_openai_archive(path: Path, *, tiny: bool) -> None:
    """Write ``ViT-B-16.pt``; the same each time.

    Args:
        path: Of the file.
        tiny: A ViT of two narrow blocks in place of ViT-B/16.
    """
    torch.manual_seed(0)
    config = TINY if tiny else open_clip.get_model_config("ViT-B-16")
    model = open_clip.CLIP(**{**config, "quick_gelu": True}).half()
    root = _Holder()
    for name, tensor in model.state_dict().items():
        _put(root, name, tensor)
    for tower in (root.get_submodule("visual"), root):
        for block in tower.get_submodule("transformer.resblocks").children():
            block.get_submodule("mlp").add_module("gelu", QuickGELU())
    for name, value in (
        ("input_resolution", config["vision_cfg"]["image_size"]),
        ("context_length", config["text_cfg"]["context_length"]),
        ("vocab_size", config["text_cfg"]["vocab_size"]),
    ):
        root.register_buffer(name, torch.tensor(value))
    torch.jit.script(root).save(str(path))


class QuickGELU(nn.Module):
    """The activation of OpenAI's weights; the name of this class in an archive tells it."""

    def forward(self, x: Tensor) -> Tensor:
        """``x · sigmoid(1.702 x)``, as in their ``clip/model.py``."""
        return x * torch.sigmoid(1.702 * x)


class _Holder(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Nothing: whoever reads the archive reads its tensors."""
        return x


def _put(root: nn.Module, name: str, tensor: Tensor) -> None:
    *modules, last = name.split(".")
    for part in modules:
        if part not in dict(root.named_children()):
            root.add_module(part, _Holder())
        root = root.get_submodule(part)
    if tensor.is_floating_point():
        root.register_parameter(last, nn.Parameter(tensor, requires_grad=False))
    else:
        root.register_buffer(last, tensor)
