"""What tests that need a GPU are marked with."""

from __future__ import annotations

import pytest
import torch

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU: this needs an NVIDIA GPU and its driver"
)
