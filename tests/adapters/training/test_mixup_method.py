"""What is fine-tuned with mixup, and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from adapters.backbone_errors import BackboneError
from adapters.backbones.folder import folder_config
from adapters.backbones.lite.model import build_lite
from adapters.backbones.open_clip_models import load_open_clip
from adapters.training.methods.mixup import MixupConfig
from adapters.training.methods.mixup.model import choose
from adapters.training.methods.mixup.objective import MixupObjective
from adapters.training.training_errors import TrainingError


def test_projections_of_lite_are_known() -> None:
    names = choose(build_lite().model, "projections")
    assert names == ["visual.head.proj.weight", "text.proj.values", "logit_scale"]


def test_a_model_without_projections_says_so() -> None:
    class NoProjections(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = nn.Linear(2, 2)
            self.text_projection = nn.Parameter(torch.zeros(2))

    with pytest.raises(TrainingError, match="the image tower of this model has no projection"):
        choose(NoProjections(), "projections")


def test_the_logit_scale_is_bounded(tiny_vit: Path) -> None:
    model: Any = load_open_clip(f"local-dir:{tiny_vit}").model
    objective = MixupObjective(model, MixupConfig())
    with torch.no_grad():
        model.logit_scale.fill_(9.0)
    objective.after_step(0.5)
    assert float(model.logit_scale.detach().exp()) == pytest.approx(100)
    assert not objective.train().model.training


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": {"m3": 1.0}}, "there is no mix 'm3'; there are m2, v, l, vl"),
        ({"weights": {"m2": -1.0}}, "at least 0"),
        ({"shape": 0.0}, "positive"),
        ({"m2_temperature": float("nan")}, "positive"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixupConfig(**settings)


def test_the_config_of_a_tag_has_its_activation(tiny_vit: Path) -> None:
    encoder = load_open_clip(f"local-dir:{tiny_vit}")
    model, tokenizer = encoder.model, encoder.tokenizer
    openai = folder_config("ViT-B-32/openai", model, tokenizer)
    assert openai["model_cfg"]["quick_gelu"] is True
    laion = folder_config("ViT-B-32/laion2b_s34b_b79k", model, tokenizer)
    assert laion["model_cfg"]["quick_gelu"] is False
    with pytest.raises(BackboneError, match="has no config"):
        folder_config("lite", model, tokenizer)
